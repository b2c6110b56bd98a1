"""Refuses requests for other host names. This stops DNS rebinding, by which a foreign page reads a local server."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from financehub_shared.core.settings import Settings
from financehub_web.http.networks import is_loopback
from financehub_web.http.refusals import refusal

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def allowed_hosts(settings: Settings) -> Sequence[str]:
    """Return the host names that requests may name; empty for all."""
    if settings.web_hosts:
        return settings.web_hosts
    return _LOOPBACK_NAMES if is_loopback(settings.web_host) else ()


def host_name(host: str) -> str:
    """Return the name in a `Host` header or an authority, without its port."""
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[").lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


class HostFilter:
    """ASGI middleware that answers 421 if the `Host` header is not allowed.

    Args:
        app: The application behind it.
        hosts: The allowed host names without ports; empty for all.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and self._hosts:
            name = host_name(Headers(scope=scope).get("host", ""))
            if name.removesuffix(".") not in self._hosts:
                text = (
                    f"This FinanceHub is not available under the host name {name[:100]!r}. Open it as "
                    f"{min(self._hosts)}, or add the name to FINANCEHUB_WEB_HOSTS."
                )
                response = refusal(scope, HTTPStatus.MISDIRECTED_REQUEST, "unknown-host", text)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
