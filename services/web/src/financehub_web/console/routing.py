"""The decorator for the routes of pages."""

from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter
from starlette.responses import Response

METHODS = ["GET", "HEAD"]

Endpoint = TypeVar("Endpoint", bound=Callable[..., Response])


def page(router: APIRouter, path: str, name: str) -> Callable[[Endpoint], Endpoint]:
    """Return the decorator of a function that answers the requests for a page.

    Args:
        router: The router of the subject.
        path: The path of the page.
        name: The name with which templates link to it.
    """
    return router.api_route(path, name=name, methods=METHODS, response_class=Response, response_model=None)
