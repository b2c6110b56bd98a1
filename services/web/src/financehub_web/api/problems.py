"""Errors of the API as problem documents (RFC 9457), each with what was wrong and what to do."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from financehub_shared.core.errors import StoreUnavailableError
from financehub_web.api.errors import ApiError
from financehub_web.api.mistakes import invalid_request, unknown_path
from financehub_web.http.refusals import problem_document

log = structlog.get_logger(__name__)

#: The methods of every path of the API.
ALLOWED = "GET, HEAD, OPTIONS"
#: Seconds after which a client should try again if Redis does not answer.
RETRY_SECONDS = 5


class Problem(BaseModel):
    """A problem document, RFC 9457."""

    type: str = Field("about:blank", description="`about:blank`: the title is that of the status.")
    title: str = Field(description="The name of the status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was wrong, and what to do.")
    instance: str = Field(description="The path of the request.")
    code: str = Field(description="The kind of problem for programs, such as `unknown-symbol`.")
    near: list[str] = Field([], description="Names that the client may have meant.")


def problem_response(request: Request, error: ApiError) -> Response:
    """Return an error as a problem document."""
    return problem_document(
        error.status, error.code, error.detail, request.url.path, near=error.near, headers=error.headers
    )


def add_error_handlers(app: FastAPI) -> None:
    """Let every error of the API end in a problem document."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(StoreUnavailableError, _on_unavailable)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_unexpected_error)


async def _on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 — it is registered for this class
    return problem_response(request, error)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 — it is registered for this class
    return problem_response(request, invalid_request(request, error))


async def _on_unavailable(request: Request, error: Exception) -> Response:
    headers = {"Retry-After": str(RETRY_SECONDS)}
    detail = f"{error}; try again later"
    return problem_response(
        request, ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "redis-unavailable", detail, headers=headers)
    )


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Turn the errors of the framework, such as 404 and 405, into problem documents."""
    assert isinstance(error, HTTPException)  # noqa: S101 — it is registered for this class
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": ALLOWED})
        detail = f"{request.method} is not possible here; this API is read-only and has {ALLOWED}"
        problem = ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", detail, headers={"Allow": ALLOWED})
        return problem_response(request, problem)
    if error.status_code == HTTPStatus.NOT_FOUND:
        # in a thread, because it compares the path with all others
        return problem_response(request, await run_in_threadpool(unknown_path, request))
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "-")
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return problem_response(request, ApiError(status, code, detail, headers=error.headers))


async def _on_unexpected_error(request: Request, error: Exception) -> Response:
    log.error("api_request_failed", path=request.url.path, exc_info=error)
    # without the text of the error, which could contain a secret
    detail = f"{type(error).__name__}: the log of the web process has the reason"
    return problem_response(request, ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail))
