"""Answers that refuse a request: a problem document (RFC 9457) for programs, and text for a browser."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from financehub_shared.core.text import dump_json
from financehub_web.http.paths import is_for_api

MEDIA_TYPE = "application/problem+json"


def problem_document(
    status: HTTPStatus,
    code: str,
    detail: str,
    path: str,
    *,
    near: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response with a problem document.

    Args:
        status: The HTTP status.
        code: Kind of problem for programs, such as `unknown-symbol`.
        detail: What was wrong, and what to do.
        path: The path of the request.
        near: Names that the client may have meant.
        headers: Further headers of the response.
    """
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "instance": path,
        "code": code,
        "near": list(near),
    }
    return Response(dump_json(document) + "\n", status, headers, MEDIA_TYPE)


def refusal(
    scope: Scope, status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer of middleware that does not let a request reach the application.

    Args:
        scope: The ASGI scope of the request.
        status: The HTTP status.
        code: Kind of problem for programs.
        detail: What was wrong, and what to do.
        headers: Further headers of the response.
    """
    if is_for_api(scope):
        return problem_document(status, code, detail, scope["path"], headers=headers)
    return PlainTextResponse(f"{detail}\n", status, headers)
