"""Shows errors as pages: what was wrong, and what to do."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from financehub_shared.core.errors import FinanceHubError, StoreUnavailableError
from financehub_web.console.page import NAVIGATION, show
from financehub_web.console.sentences import problem_text
from financehub_web.http.paths import is_for_api, path_of
from financehub_web.http.routes import address_without_slash

log = structlog.get_logger(__name__)

Handler = Callable[[Request, Any], Awaitable[Response]]


class PageError(FinanceHubError):
    """An error that the reader sees as a page.

    Args:
        status: The HTTP status.
        title: What was wrong, in a few words.
        detail: What to do.
        links: (text, address) of pages that the reader may have meant.
        section: Name of the page of the navigation to which the reader returns; empty for the overview.
    """

    def __init__(
        self,
        status: HTTPStatus,
        title: str,
        detail: str,
        links: list[tuple[str, str]] | None = None,
        *,
        section: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.links = links or []
        self.section = section


def add_error_pages(app: FastAPI) -> None:
    """Let every error outside of the API end in a page, and an unknown path with a slash at its end in a redirect.

    Call this function after the handlers of the API are added.
    """
    handlers: dict[Any, Any] = dict(app.exception_handlers)
    for type_ in (StoreUnavailableError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(type_, _by_path(handlers[type_]))
    app.add_exception_handler(PageError, _show_page)


def _by_path(api_handler: Handler) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        is_unknown = isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND
        if is_unknown and "endpoint" not in request.scope and (address := address_without_slash(request)):
            return RedirectResponse(address, HTTPStatus.TEMPORARY_REDIRECT)
        if is_for_api(request.scope):
            return await api_handler(request, error)
        return await _show_page(request, error)

    return handle


async def _show_page(request: Request, error: Exception) -> Response:
    if not isinstance(error, PageError):
        error = _as_page_error(request, error)
    values = {"error": error}
    section = error.section or ("" if error.links else _section_of(request))
    return await run_in_threadpool(
        show, request, "error.html", error.title, section, values, status=error.status, live=False
    )


def _section_of(request: Request) -> str:
    """Return the page of the navigation below which the path of a request is; empty if it is below none."""
    first = path_of(request.scope).strip("/").partition("/")[0].replace("-", "_")
    names = {name for _, entries in NAVIGATION for name, _ in entries}
    return first if first in names else ""


def _as_page_error(request: Request, error: Exception) -> PageError:
    if isinstance(error, StoreUnavailableError):
        return PageError(
            HTTPStatus.SERVICE_UNAVAILABLE, "Redis does not answer", f"{error}. Reload the page when it answers again."
        )
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        detail = f"{first['loc'][-1]}: {problem_text(first)}."
        return PageError(HTTPStatus.BAD_REQUEST, "This address is not valid", detail)
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"No page has the address {request.url.path}. The menu lists all pages."
        return PageError(HTTPStatus.NOT_FOUND, "This page does not exist", detail)
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        return PageError(status, status.phrase, f"{request.method} {request.url.path}: {error.detail}")
    log.error("page_failed", path=request.url.path, exc_info=error)
    # without the text of the error, which could contain a secret
    detail = f"{type(error).__name__}: the log of the web process has the reason."
    return PageError(HTTPStatus.INTERNAL_SERVER_ERROR, "This page failed", detail)
