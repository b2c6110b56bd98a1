"""The gate that every request passes: it needs a user, and a request that changes something needs more."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from financehub_web.access.origin import SAFE_METHODS, origin_problem
from financehub_web.access.tokens import Role
from financehub_web.access.users import UNKNOWN_TOKEN, Stranger, User, Users
from financehub_web.http.clients import client_of
from financehub_web.http.limiter import RateLimiter
from financehub_web.http.networks import Network
from financehub_web.http.refusals import refusal

log = structlog.get_logger(__name__)

#: Browsers ask for a name and a password, and programs send a token.
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="FinanceHub", charset="UTF-8", Bearer realm="FinanceHub"'}
#: Wrong tokens that a client may send in a minute. An open page with an old token sends 12.
WRONG_TOKENS: Final = 60
_MINUTE: Final = 60.0
#: Number of (reason, client) that are remembered as logged.
_MOST_NOTED: Final = 1_000


class Gate:
    """ASGI middleware that refuses requests without a user, and unsafe requests that are not allowed.

    A request that passes has its user in `request.state.user`. New routes are covered without further code, because
    the gate only looks at the method.

    Args:
        app: The application behind it.
        users: Finds the user of a request.
        is_writable: Whether the process runs in the mode `write`.
        proxies: Networks of proxies that name the client of a request.
        monotonic: Returns the monotonic time in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        users: Users,
        *,
        is_writable: bool,
        proxies: Sequence[Network],
        monotonic: Callable[[], float],
    ) -> None:
        self._app = app
        self._users = users
        self._is_writable = is_writable
        self._proxies = proxies
        self._wrong_tokens = RateLimiter(WRONG_TOKENS, _MINUTE, monotonic)
        self._noted: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._judge(scope)
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["user"] = answer
        await self._app(scope, receive, send)

    def _judge(self, scope: Scope) -> User | Response:
        """Return the user of a request that passes, or the answer to one that does not."""
        headers = Headers(scope=scope)
        client = client_of(scope, self._proxies)
        if self._users.have_tokens and "Authorization" in headers:
            verdict = self._wrong_tokens.check(client)
            if not verdict.is_allowed:
                return self._limited(scope, client, verdict.wait_seconds)
        peer = scope.get("client")
        user = self._users.find(headers, peer[0] if peer else "")
        if isinstance(user, Stranger):
            if user.code == UNKNOWN_TOKEN:
                self._wrong_tokens.count(client)
            self._note(user.code, client)
            # A browser must not ask for a password that nobody has, if only a proxy names users.
            challenge = _CHALLENGE if self._users.have_tokens else {}
            return refusal(scope, HTTPStatus.UNAUTHORIZED, user.code, user.text, challenge)
        if scope["method"] in SAFE_METHODS:
            return user
        problem = self._unsafe_problem(headers, user)
        if problem is None:
            return user
        code, text = problem
        log.warning("request_refused", user=user.name, method=scope["method"], path=scope["path"], reason=code)
        return refusal(scope, HTTPStatus.FORBIDDEN, code, text)

    def _unsafe_problem(self, headers: Headers, user: User) -> tuple[str, str] | None:
        """Return the code and the text of the reason to refuse an unsafe request."""
        if not self._is_writable:
            return "read-only", "this console is read-only; FINANCEHUB_WEB_MODE=write allows changes"
        if user.role is not Role.OPERATOR:
            return "operator-required", f"{user.name} is a viewer; only an operator may change something"
        problem = origin_problem(headers, user)
        return ("cross-site", problem) if problem else None

    def _limited(self, scope: Scope, client: str, wait_seconds: float) -> Response:
        """Return the answer to a client that guesses tokens. Its token is not even compared."""
        self._note("too-many-wrong-tokens", client)
        wait = max(1, math.ceil(wait_seconds))
        detail = f"too many wrong tokens: a client may send {WRONG_TOKENS} in a minute; try again in {wait} s"
        headers = {"Retry-After": str(wait)}
        return refusal(scope, HTTPStatus.TOO_MANY_REQUESTS, "too-many-wrong-tokens", detail, headers)

    def _note(self, reason: str, client: str) -> None:
        """Log a refusal once for each reason and client, so that a client cannot fill the log."""
        if (reason, client) in self._noted:
            return
        self._noted[reason, client] = None
        if len(self._noted) > _MOST_NOTED:
            self._noted.popitem(last=False)
        log.warning("user_refused", reason=reason, client=client)
