"""Products: lists, one, and the search."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.db.models import QuerySet
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from shop.models import Product
from shop.search import found
from shop.serializers import ProductQuery, ProductSerializer


class Newest(CursorPagination):
    """Pages from the newest product on."""

    ordering = ("-created_at", "-id")

    def get_page_size(self, request: Request) -> int:
        """As many as were asked for."""
        return request.parser_context["view"].query["limit"]

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        """Tell a page and where the next one begins."""
        link = self.get_next_link()
        cursor = parse_qs(urlsplit(link).query)["cursor"][0] if link else None
        return page(data, cursor=cursor, link=link)


class ProductList(ListAPIView[Product]):
    """One seller's products, newest first, or those that a search finds, best first."""

    serializer_class = ProductSerializer
    pagination_class = Newest

    @cached_property
    def query(self) -> dict[str, Any]:
        """What was asked for."""
        query = ProductQuery(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        return query.validated_data

    def get_queryset(self) -> QuerySet[Product]:
        """The seller's products."""
        return Product.objects.filter(user=self.query["userId"], status="live")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Tell one page."""
        if not self.query.get("q"):
            return super().list(request, *args, **kwargs)
        limit = self.query["limit"]
        rows = found(self.query["q"], limit=limit + 1)
        data = self.get_serializer(rows[:limit], many=True).data
        if len(rows) <= limit:
            return page(data, cursor=None, link=None)
        cursor = str(rows[limit - 1].pk)
        return page(data, cursor=cursor, link=f"{request.get_full_path()}&cursor={cursor}")


class ProductDetail(RetrieveAPIView[Product]):
    """One product."""

    queryset = Product.objects.filter(status="live")
    serializer_class = ProductSerializer

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Tell it, and which version of it this is."""
        product = self.get_object()
        tag = f'"{product.pk}-{round(product.updated_at.timestamp() * 1_000_000)}"'
        return Response({"product": self.get_serializer(product).data}, headers={"ETag": tag})


def page(data: Sequence[Any], *, cursor: str | None, link: str | None) -> Response:
    """One page of products."""
    headers = {"Link": f'<{link}>; rel="next"'} if link else None
    return Response({"products": data, "nextCursor": cursor}, headers=headers)
