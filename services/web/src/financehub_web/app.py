"""The composition root: builds and connects all components of a web process, and serves until a signal arrives."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings
from financehub_shared.health.listeners import listen
from financehub_shared.health.readers import OBSERVER_TIMEOUT_SECONDS, redis_servers
from financehub_shared.logging import configure_logging
from financehub_shared.metrics import Metrics
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.watch import RedisWatch
from financehub_web.access.gate import Gate
from financehub_web.access.hosts import HostFilter, allowed_hosts
from financehub_web.access.users import load_users
from financehub_web.api import quotes
from financehub_web.api.problems import Problem, add_error_handlers
from financehub_web.console.errors import add_error_pages
from financehub_web.console.pages import router as pages
from financehub_web.observability import LoopProbe, WebObservability
from financehub_web.reading.fleet import Fleet

log = structlog.get_logger(__name__)

#: Seconds for which open requests may end after a signal.
_DRAIN_SECONDS = 5
_API = (quotes.router,)


def build_app(settings: Settings, fleet: Fleet, loop: LoopProbe) -> FastAPI:
    """Build the application with its console and API.

    Args:
        settings: Settings of the process.
        fleet: Reads the state of the fleet.
        loop: Notices a hung event loop.

    Raises:
        ConfigError: The users cannot be read, or the mode `write` is open to everybody.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(loop.tick())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app = FastAPI(
        lifespan=lifespan,
        title="FinanceHub",
        version=version("financehub-web"),
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        root_path=settings.web_prefix,
    )
    app.state.fleet = fleet
    api = APIRouter(prefix="/api/v1", responses={code: {"model": Problem} for code in (400, 404, 429, 503)})
    for router in _API:
        api.include_router(router)
    app.include_router(api)
    app.include_router(pages)
    add_error_handlers(app)
    add_error_pages(app)
    # The one that is added last sees a request first.
    app.add_middleware(Gate, users=load_users(settings), is_writable=settings.web_mode == "write")
    app.add_middleware(HostFilter, hosts=allowed_hosts(settings))
    return app


def serve(settings: Settings) -> None:
    """Serve the console and the API until SIGTERM or SIGINT.

    Raises:
        ConfigError: A port is in use, or the users cannot be read.
    """
    configure_logging(settings, "web")
    clock = ServerClock(SystemClock())
    watch = RedisWatch(redis_servers(settings, OBSERVER_TIMEOUT_SECONDS), clock)
    fleet, loop = Fleet(settings, clock), LoopProbe(clock)
    app = build_app(settings, fleet, loop)
    sockets = _bind(settings)
    WebObservability(settings, clock, Metrics("web", settings.release), loop, fleet.health).start()
    watch.start()
    config = uvicorn.Config(
        app,
        http="h11",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    log.info("web_started", host=settings.web_host, port=sockets[0].getsockname()[1], mode=settings.web_mode)
    try:
        uvicorn.Server(config).run(sockets)
    finally:
        watch.stop()
    log.info("web_stopped")


def _bind(settings: Settings) -> list[socket.socket]:
    """Bind the port of the console on all addresses of the host."""
    try:
        return listen(settings.web_host, settings.web_port)
    except OSError as error:
        problem = (
            f"FINANCEHUB_WEB_HOST={settings.web_host}, FINANCEHUB_WEB_PORT={settings.web_port}: cannot listen "
            f"({error.strerror or error}); set them to an address of this machine and a free port"
        )
        raise ConfigError(problem) from error
