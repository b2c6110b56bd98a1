"""kopf's watch of ScheduledTasks, in a thread and an event loop of its own.

At its end kopf cancels every task of its loop that it did not find there at its start, the engine's too; and a page
of 500 resources takes 10 ms to read, which due runs must not wait for.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import aiohttp
import kopf
import structlog

from financehub_scheduler.cluster.api import GROUP, PLURAL, VERSION
from financehub_scheduler.cluster.connection import Connection
from financehub_shared.clock import Clock

log = structlog.get_logger(__name__)

#: The server ends each watch after this long, and the next one goes on there: each beginning is a sign of life.
WATCH_SECONDS = 30
#: A watch that outlives the server's own limit without a word is cut off on the way, half-open.
_SILENT_SECONDS = 40.0
_REQUEST_SECONDS = 30.0
_PAGE = 500
_RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)
_RESTART_SECONDS = 2.0

#: Told of an event's type (None while listing, ADDED, MODIFIED, DELETED) and the object.
Told = Callable[[str | None, Mapping[str, Any]], None]


class Watch:
    """Lists and watches for ever.

    Args:
        clock: time.
        namespaces: which ones are watched; none: all.
        told: called in the watch's thread; must neither block nor raise.
        listed: called in the watch's thread when a list is complete and the watch behind it begins.
    """

    def __init__(self, clock: Clock, namespaces: Sequence[str], told: Told, listed: Callable[[], None]) -> None:
        self._clock = clock
        self._namespaces = namespaces
        self._told = told
        self._listed = listed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        #: Namespaces (empty: all) whose list has begun and whose watch has not.
        self._listing: set[str] = set()
        self._unlisted = set(namespaces) or {""}
        #: When a watch last began, monotonic seconds.
        self.began = clock.monotonic()

    def start(self) -> None:
        """Begin."""
        # it warns that signals are not its business, which is why it is in a thread
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
        self._thread.start()

    def stop(self) -> None:
        """End; a request under way ends with the process."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                asyncio.run(self._operate())
            except Exception as error:  # noqa: BLE001 — whatever ends kopf, the only cure is a new start
                log.warning("watch_restarts", error=f"{type(error).__name__}: {error}")
            self._stop.wait(_RESTART_SECONDS)

    async def _operate(self) -> None:
        await kopf.operator(
            registry=self._registry(),
            settings=_settings(namespaced=bool(self._namespaces)),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=self._stop,
        )

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._answered)

        @kopf.on.login(registry=registry, retries=1)
        async def login(**_: Any) -> kopf.AiohttpSession:
            connection = await Connection.load()
            return kopf.AiohttpSession(server=connection.server, aiohttp_session=connection.session(trace))

        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def event(event: Mapping[str, Any], **_: Any) -> None:
            self._told(event["type"], event["object"])

        return registry

    async def _answered(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        parts = params.url.path.strip("/").split("/")
        if params.response.status != HTTPStatus.OK or parts[-1] != PLURAL:
            return
        namespace = parts[-2] if "namespaces" in parts else ""
        if params.url.query.get("watch") != "true":
            self._listing.add(namespace)
            return
        self.began = self._clock.monotonic()
        if namespace in self._listing:
            self._listing.discard(namespace)
            self._unlisted.discard(namespace)
            if not self._unlisted:
                self._listed()


def _settings(*, namespaced: bool) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # with rights in some namespaces only, definitions and namespaces cannot be watched
    settings.scanning.disabled = namespaced
    settings.posting.enabled = False  # events are ours to write, with limits
    settings.networking.request_timeout = _REQUEST_SECONDS
    settings.networking.error_backoffs = _RETRY_SECONDS
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.inactivity_timeout = _SILENT_SECONDS
    settings.watching.chunk_size = _PAGE
    return settings
