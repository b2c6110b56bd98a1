"""The gate that every request passes: it needs a user, and a request that changes something needs more."""

from http import HTTPStatus

import structlog
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from financehub_shared.core.text import dump_json
from financehub_web.access.origin import SAFE_METHODS, origin_problem
from financehub_web.access.users import Role, User, Users

log = structlog.get_logger(__name__)

#: Browsers ask for a name and a password, and programs send a token.
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="FinanceHub", charset="UTF-8", Bearer realm="FinanceHub"'}


class Gate:
    """ASGI middleware that refuses requests without a user, and unsafe requests that are not allowed.

    A request that passes has its user in `request.state.user`. New routes are covered without further code, because
    the gate only looks at the method.

    Args:
        app: The application behind it.
        users: Finds the user of a request.
        is_writable: Whether the process runs in the mode `write`.
    """

    def __init__(self, app: ASGIApp, users: Users, *, is_writable: bool) -> None:
        self._app = app
        self._users = users
        self._is_writable = is_writable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        client = scope.get("client")
        user = self._users.find(headers, client[0] if client else "")
        refusal = self._refusal(scope, headers, user)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["user"] = user
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers, user: User | None) -> Response | None:
        if user is None:
            if scope["method"] == "OPTIONS":
                return None  # a preflight request of CORS never has credentials, and gets no data
            text = "this console needs a user: send a token as bearer, or as the password of any name"
            return _refuse(scope, HTTPStatus.UNAUTHORIZED, "user-required", text)
        if scope["method"] in SAFE_METHODS:
            return None
        problem = self._unsafe_problem(headers, user)
        if problem is None:
            return None
        code, text = problem
        log.warning("request_refused", user=user.name, method=scope["method"], path=scope["path"], reason=code)
        return _refuse(scope, HTTPStatus.FORBIDDEN, code, text)

    def _unsafe_problem(self, headers: Headers, user: User) -> tuple[str, str] | None:
        """Return the code and the text of the reason to refuse an unsafe request."""
        if not self._is_writable:
            return "read-only", "this console is read-only; FINANCEHUB_WEB_MODE=write allows changes"
        if user.role is not Role.OPERATOR:
            return "operator-required", f"{user.name} is a viewer; only an operator may change something"
        problem = origin_problem(headers, user)
        return ("cross-site", problem) if problem else None


def _refuse(scope: Scope, status: HTTPStatus, code: str, detail: str) -> Response:
    """Return a problem document (RFC 9457) for programs, and the same as text for a browser."""
    headers = _CHALLENGE if status is HTTPStatus.UNAUTHORIZED else {}
    if "/api/" not in scope["path"]:
        return PlainTextResponse(f"{detail}\n", status, headers)
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "instance": scope["path"],
        "code": code,
        "near": [],
    }
    return Response(dump_json(document) + "\n", status, headers, "application/problem+json")
