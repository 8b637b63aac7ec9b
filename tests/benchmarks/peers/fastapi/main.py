"""The shop as the community of FastAPI would write it: Pydantic, SQLAlchemy's async sessions and asyncpg."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import accounts
import catalog
import orders
from database import engine
from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from observe import Observed, metrics_page


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Close the pool when the worker ends."""
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
app.include_router(catalog.router)
app.include_router(orders.router)
app.include_router(accounts.router)
app.add_middleware(Observed)


@app.exception_handler(RequestValidationError)
async def bad_request(request: Request, error: RequestValidationError) -> Response:
    """What FastAPI answers, with the status of the shop's contract instead of 422."""
    answer = await request_validation_exception_handler(request, error)
    answer.status_code = 400
    return answer


@app.get("/metrics", include_in_schema=False)
def metrics() -> Response:
    """What Prometheus reads."""
    return metrics_page()
