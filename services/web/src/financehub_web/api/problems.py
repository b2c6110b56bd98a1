"""Errors of the API as problem documents (RFC 9457), each with what was wrong and what to do."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.text import dump_json

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
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


class ApiError(Exception):
    """An error that the client gets as a problem document.

    Args:
        status: The HTTP status.
        code: Kind of problem for programs, such as `unknown-symbol`.
        detail: What was wrong, and what to do.
        near: Names that the client may have meant.
        headers: Further headers of the response.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        near: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.near = list(near)
        self.headers = dict(headers or {})


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Return at most three known names that are similar to a name."""
    return difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)


def problem_response(request: Request, error: ApiError) -> Response:
    """Return an error as a problem document."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": error.status.phrase,
        "status": int(error.status),
        "detail": error.detail,
        "instance": request.url.path,
        "code": error.code,
        "near": error.near,
    }
    return Response(dump_json(document) + "\n", error.status, error.headers, MEDIA_TYPE)


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
    """Name the first wrong parameter, and for an unknown one the parameters that the client may have meant."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 — it is registered for this class
    first = error.errors()[0]
    name = str(first["loc"][-1])
    if first["type"] == "extra_forbidden":
        known = sorted(_parameters_of(request))
        near = near_names(name, known)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known parameters: {', '.join(known) or 'none'}"
        problem = ApiError(
            HTTPStatus.BAD_REQUEST, "unknown-parameter", f"unknown query parameter {name!r}; {hint}", near=near
        )
    else:
        place = " ".join(str(part) for part in first["loc"])
        problem = ApiError(HTTPStatus.BAD_REQUEST, "invalid-parameter", f"{place}: {first['msg']}")
    return problem_response(request, problem)


def _parameters_of(request: Request) -> list[str]:
    """Return the names of the query parameters of the request's route."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    names: list[str] = []
    for parameter in getattr(dependant, "query_params", ()):
        fields = getattr(parameter.field_info.annotation, "model_fields", None)
        names += [field.alias or name for name, field in fields.items()] if fields else [parameter.alias]
    return names


async def _on_unavailable(request: Request, error: Exception) -> Response:
    problem = ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "redis-unavailable",
        f"{error}; try again later",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )
    return problem_response(request, problem)


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Turn the errors of the framework, such as 404 and 405, into problem documents."""
    assert isinstance(error, HTTPException)  # noqa: S101 — it is registered for this class
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "-")
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return problem_response(request, ApiError(status, code, detail, headers=error.headers))


async def _on_unexpected_error(request: Request, error: Exception) -> Response:
    log.error("api_request_failed", path=request.url.path, exc_info=error)
    # without the text of the error, which could contain a secret
    detail = f"{type(error).__name__}: the log of the web process has the reason"
    return problem_response(request, ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail))
