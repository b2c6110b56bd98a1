"""The ASGI application: every upstream under its own prefix (`/binance/api/v3/…`), or by the real Host header."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from financehub_simulator.control import control_routes
from financehub_simulator.core import Simulator
from financehub_simulator.hosts import prefixed
from financehub_simulator.serving import routes
from financehub_simulator.upstreams.catalog import ALL


def build_app(sim: Simulator) -> ASGIApp:
    """The application of one simulator."""

    async def index(_request: Request) -> Response:
        return JSONResponse({"simulator": "financehub", "upstreams": [f"/{upstream.name}" for upstream in ALL]})

    mounts = [Mount(f"/{upstream.name}", routes=routes(sim, upstream)) for upstream in ALL]
    app = Starlette(routes=[Route("/", index), *control_routes(sim), *mounts])

    async def by_host(scope: Scope, receive: Receive, send: Send) -> None:
        await app(prefixed(scope) if scope["type"] == "http" else scope, receive, send)

    return by_host
