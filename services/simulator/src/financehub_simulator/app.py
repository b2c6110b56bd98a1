"""The ASGI application, which serves each upstream under its prefix (`/binance/api/v3/…`) or real host name."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from financehub_simulator.control import control_routes
from financehub_simulator.endpoints import routes
from financehub_simulator.hosts import with_upstream_prefix
from financehub_simulator.state import Simulator
from financehub_simulator.upstreams.catalog import ALL_UPSTREAMS


def build_app(simulator: Simulator) -> ASGIApp:
    """Build the application of one simulator."""

    async def index(_request: Request) -> Response:
        return JSONResponse(
            {"simulator": "financehub", "upstreams": [f"/{upstream.name}" for upstream in ALL_UPSTREAMS]}
        )

    mounts = [Mount(f"/{upstream.name}", routes=routes(simulator, upstream)) for upstream in ALL_UPSTREAMS]
    app = Starlette(routes=[Route("/", index), *control_routes(simulator), *mounts])

    async def route_by_host(scope: Scope, receive: Receive, send: Send) -> None:
        await app(with_upstream_prefix(scope) if scope["type"] == "http" else scope, receive, send)

    return route_by_host
