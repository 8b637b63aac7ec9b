"""What goes over the wire."""

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from shop.models import Order, Product, User


class Moment(serializers.DateTimeField):
    """A time in UTC with milliseconds."""

    def to_representation(self, value: datetime) -> str:
        """Write it."""
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ProductQuery(serializers.Serializer[Any]):
    """Which products."""

    userId = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    q = serializers.CharField(required=False, allow_blank=True)
    limit = serializers.IntegerField(default=200, min_value=1, max_value=200)
    cursor = serializers.CharField(required=False)

    def validate(self, query: dict[str, Any]) -> dict[str, Any]:
        """Only a search can do without a seller."""
        if not query.get("q") and "userId" not in query:
            raise serializers.ValidationError({"userId": "required"})
        return query


class ProductSerializer(serializers.ModelSerializer[Product]):
    """A product."""

    userId = serializers.IntegerField(source="user_id")
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")

    class Meta:
        """Django REST framework's options."""

        model = Product
        fields = (
            "id",
            "userId",
            "name",
            "description",
            "price",
            "currency",
            "status",
            "createdAt",
            "updatedAt",
        )


class NewOrder(serializers.Serializer[Any]):
    """An order to place."""

    productId = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=255)

    def validate_email(self, email: str) -> str:
        """The domain's case means nothing."""
        local, _, domain = email.rpartition("@")
        return f"{local}@{domain.lower()}"


class OrderSerializer(serializers.ModelSerializer[Order]):
    """An order."""

    productId = serializers.IntegerField(source="product_id")
    productName = serializers.CharField(source="product_name")
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")

    class Meta:
        """Django REST framework's options."""

        model = Order
        fields = (
            "id",
            "productId",
            "productName",
            "email",
            "name",
            "status",
            "amount",
            "currency",
            "createdAt",
            "updatedAt",
        )


class SignIn(serializers.Serializer[Any]):
    """What proves who someone is."""

    email = serializers.CharField(max_length=1024)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)


class UserSerializer(serializers.ModelSerializer[User]):
    """An account."""

    createdAt = Moment(source="created_at")

    class Meta:
        """Django REST framework's options."""

        model = User
        fields = ("id", "email", "role", "createdAt")
