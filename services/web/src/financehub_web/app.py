"""The composition root: builds and connects all components of a web process, and serves until a signal arrives."""

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version

import structlog
import uvicorn
from fastapi import FastAPI

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
from financehub_web.actions.controls import Controls
from financehub_web.actions.registry import Actions
from financehub_web.api.health import PATHS as HEALTH_PATHS
from financehub_web.api.quote_feed import QuoteFeed
from financehub_web.api.rate_limit import RateLimit, request_limiter
from financehub_web.api.setup import add_api
from financehub_web.console.errors import add_error_pages
from financehub_web.console.pages import router as pages
from financehub_web.http.deadline import RequestDeadline
from financehub_web.http.failures import Failures
from financehub_web.http.head import HeadRequests
from financehub_web.http.measuring import Measuring
from financehub_web.http.memory import limit_heaps, release_memory_of_start
from financehub_web.http.networks import read_networks
from financehub_web.http.origins import ApiOrigins
from financehub_web.http.prefix import Prefix
from financehub_web.http.request_ids import RequestIds
from financehub_web.http.routes import check_prefix
from financehub_web.http.sniffing import NoSniffing
from financehub_web.http.threads import prepare_threads
from financehub_web.observability import LoopProbe, WebObservability
from financehub_web.reading.fleet import Fleet

log = structlog.get_logger(__name__)

#: Open connections, also those of streams. Each takes a file and about 30 kB, and without a limit, many clients that do
#: not read their answers would use up both.
MOST_CONNECTIONS = 500
#: Seconds for which open requests may end after a signal.
_DRAIN_SECONDS = 5
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def build_app(settings: Settings, fleet: Fleet, loop: LoopProbe, metrics: Metrics, feed: QuoteFeed) -> FastAPI:
    """Build the application with its console and API.

    Args:
        settings: Settings of the process.
        fleet: Reads the state of the fleet.
        loop: Notices a hung event loop.
        metrics: Metrics of the process.
        feed: The source of the event streams.

    Raises:
        ConfigError: The users cannot be read, the mode `write` is open to everybody, or the prefix is a path of the
            console.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        prepare_threads()
        tasks = [asyncio.create_task(loop.tick()), asyncio.create_task(feed.run())]
        release_memory_of_start()
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(
        lifespan=lifespan,
        title="FinanceHub",
        version=version("financehub-web"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # its redirects name a host and a scheme, which only a proxy knows
    )
    app.state.fleet = fleet
    app.state.actions = Actions(Controls(settings, fleet.clock))
    add_api(app, feed)
    app.include_router(pages)
    add_error_pages(app)
    check_prefix(app, settings.web_prefix)
    # The one that is added last sees a request first.
    app.add_middleware(Failures, handlers=app.exception_handlers)
    proxies, monotonic = read_networks(settings), fleet.clock.monotonic
    limiter = request_limiter(settings.web_requests_per_second, monotonic)
    app.add_middleware(RateLimit, limiter=limiter, proxies=proxies, exempt=HEALTH_PATHS)
    app.add_middleware(
        Gate,
        users=load_users(settings),
        is_writable=settings.web_mode == "write",
        proxies=proxies,
        monotonic=monotonic,
    )
    app.add_middleware(ApiOrigins, origins=settings.web_origins)
    app.add_middleware(HostFilter, hosts=allowed_hosts(settings))
    app.add_middleware(HeadRequests)
    app.add_middleware(NoSniffing)
    app.add_middleware(Measuring, metrics=metrics)
    app.add_middleware(RequestIds)
    app.add_middleware(Prefix, prefix=settings.web_prefix)
    return app


def serve(settings: Settings) -> None:
    """Serve the console and the API until SIGTERM or SIGINT.

    Raises:
        ConfigError: A port is in use, or the users cannot be read.
    """
    limit_heaps()
    configure_logging(settings, "web")
    clock = ServerClock(SystemClock())
    watch = RedisWatch(redis_servers(settings, OBSERVER_TIMEOUT_SECONDS), clock)
    fleet, loop, metrics = Fleet(settings, clock), LoopProbe(clock), Metrics("web", settings.release)
    feed = QuoteFeed(fleet)
    app = build_app(settings, fleet, loop, metrics, feed)
    sockets = _bind(settings)
    server = build_server(app, feed)
    observability = WebObservability(settings, clock, metrics, loop, fleet.health, lambda: server.should_exit)
    observability.start()
    watch.start()
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    log.info("web_started", host=settings.web_host, port=sockets[0].getsockname()[1], mode=settings.web_mode)
    try:
        server.run(sockets)
    finally:
        watch.stop()
        observability.stop()
    log.info("web_stopped")


def build_server(app: FastAPI, feed: QuoteFeed) -> uvicorn.Server:
    """Build the server of the application.

    Args:
        app: The application.
        feed: The source of its event streams.
    """
    config = uvicorn.Config(
        app,
        http=RequestDeadline,
        limit_concurrency=MOST_CONNECTIONS,
        # no route is a web socket, so the libraries for them need not be loaded
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # only our own code reads the headers of proxies, and only from those that are trusted
        proxy_headers=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    return _Server(config, feed)


class _Server(uvicorn.Server):
    """The server, which ends event streams before it waits for all requests to end.

    Args:
        config: Configuration of the server.
        feed: The source of the event streams.
    """

    def __init__(self, config: uvicorn.Config, feed: QuoteFeed) -> None:
        super().__init__(config)
        self._feed = feed

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain at a signal, and exit with 0. Uvicorn would raise the signal again, which looks like a failure."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in _SIGNALS:
            signal.signal(number, self.handle_exit)
        # Containers start with SIGTERM blocked, so that one that arrives during the start waits for the handler.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        yield
        # The interpreter restores the default handlers at its end, and another signal would then kill the process.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, and then do what the server always does."""
        self._feed.close()
        await super().shutdown(sockets)


def _bind(settings: Settings) -> list[socket.socket]:
    """Bind the port of the console on all addresses of the host."""
    try:
        sockets = listen(settings.web_host, settings.web_port)
    except OSError as error:
        problem = (
            f"FINANCEHUB_WEB_HOST={settings.web_host}, FINANCEHUB_WEB_PORT={settings.web_port}: cannot listen "
            f"({error.strerror or error}); set them to an address of this machine and a free port"
        )
        raise ConfigError(problem) from error
    for each in sockets:
        # Connections inherit it. Otherwise the body of a response would wait 40 ms for the acknowledgment of its head,
        # because asyncio sets it only for sockets that name their protocol.
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sockets
