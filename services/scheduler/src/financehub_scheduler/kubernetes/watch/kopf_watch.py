"""kopf's watch of ScheduledTasks. It runs in its own thread and event loop and is restarted when it fails or stalls.

Each namespace has its own watch, because a single forbidden namespace ends kopf and all of its watches.

Each watch has its own thread for two reasons. When kopf ends, it cancels every task in its event loop that did not
exist when it started, which would include the engine's tasks. In addition, parsing a page of 500 resources takes 10 ms,
and due runs must not wait for that.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import kopf
import structlog

from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_scheduler.kubernetes.watch.list_pages import ListPages
from financehub_scheduler.kubernetes.watch.monitor import WatchMonitor
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ConfigError
from financehub_shared.spec.scheduled_task import GROUP, PLURAL, VERSION

log = structlog.get_logger(__name__)

#: The server ends each watch request after this time and the next request continues, so each start is a sign of life.
WATCH_SECONDS = 30
#: A watch that is silent for this many times the server's own limit has a half-open connection.
_MAX_SILENCE_FACTOR = 4 / 3
_REQUEST_SECONDS = 30.0
_PAGE = 500
#: Seconds for which kopf keeps an object's task without events. With kopf's default of 5 s, all objects of a list have
#: tasks at the same time, which takes 60 MB for 10,000 objects.
_IDLE_SECONDS = 0.5
_RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)
_RESTART_SECONDS = 2.0
#: Maximum time from the last response during kopf's start until it requests ScheduledTasks. If it has not requested
#: them by then, it did not find a definition to watch. The same time is added to the limit for a silent watch.
_DISCOVERY_SECONDS = 5.0
_CHECK_SECONDS = 0.5
#: Delays before a login, by the number of refused logins. The first logins are immediate, because most refused
#: credentials are only outdated.
_LOGIN_SECONDS = (0.0, 0.0, 1.0, 2.0, 4.0, 8.0)

#: Called with the event type (None for a listed object, ADDED, MODIFIED or DELETED) and the object.
EventHandler = Callable[[str | None, Mapping[str, Any]], None]


class KopfWatch:
    """Lists and watches ScheduledTasks continuously.

    Args:
        clock: Time.
        namespace: The watched namespace, or None for all of them.
        on_event: Called in the watch's thread. It must not block.
        on_list: Called in the watch's thread when a list is complete, after `on_event` with each of its resources.
            Events that follow are newer than the list.
        seconds: Seconds for which the server is requested to keep a watch open.
    """

    def __init__(
        self,
        clock: Clock,
        namespace: str | None,
        on_event: EventHandler,
        on_list: Callable[[frozenset[str]], None],
        seconds: int = WATCH_SECONDS,
    ) -> None:
        self._namespace = namespace
        self._on_event = on_event
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._monitor = WatchMonitor(clock, namespace)
        self._pages = ListPages(partial(on_event, None), on_list)

    @property
    def began_at(self) -> float:
        """Monotonic time at which a watch request last began."""
        return self._monitor.began_at

    @property
    def is_listing(self) -> bool:
        """Whether a list is in progress, which may have begun after that: the server may end a watch at once."""
        return self._pages.is_listing

    @property
    def problem(self) -> str:
        """Why no watch request has begun since then; empty if there is no problem."""
        return self._monitor.problem

    def start(self) -> None:
        """Start the thread."""
        # kopf logs every attempt of every request, and each failure up to three times with its traceback. WatchMonitor
        # logs each outage once instead. Exceptions in handlers stay visible, because they would be our own bugs.
        for name in ("kopf._core", "kopf._cogs", "kopf.activities"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread. A request in progress ends when the process exits."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                asyncio.run(self._operate())
            except Exception as error:  # noqa: BLE001 — whatever the error, kopf must be restarted
                self._monitor.kopf_ended(error)
            self._stop.wait(_RESTART_SECONDS)

    async def _operate(self) -> None:
        # kopf does not get the thread's own flag: it would wait for that in another thread, which would not end if kopf
        # failed.
        end = asyncio.Event()
        supervisor = asyncio.create_task(self._supervise(end))
        try:
            await kopf.operator(
                registry=self._registry(),
                settings=self._settings(),
                standalone=True,
                # Without an identity, kopf would look up the user's name, which a container's numeric user does not
                # have.
                identity="financehub-scheduler",  # type: ignore[arg-type]  # its type is not public
                clusterwide=self._namespace is None,
                namespaces=[self._namespace] if self._namespace else [],
                stop_flag=end,
            )
        finally:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor

    async def _supervise(self, end: asyncio.Event) -> None:
        """End kopf when `stop` is called or if it does not watch anything.

        kopf looks for the ScheduledTask definition when it starts and, if it has rights in all namespaces, whenever a
        definition changes. Sometimes it looks before ScheduledTasks are served.
        """
        monitor = self._monitor
        monitor.kopf_started()
        max_silence = _MAX_SILENCE_FACTOR * self._seconds + _DISCOVERY_SECONDS
        # Polling is necessary: no event reports that something has not happened.
        while not self._stop.is_set() and monitor.silence_seconds() < (  # noqa: ASYNC110
            max_silence if monitor.requested_tasks else _DISCOVERY_SECONDS
        ):
            await asyncio.sleep(_CHECK_SECONDS)
        if not self._stop.is_set() and not monitor.requested_tasks:
            monitor.nothing_to_watch()
        end.set()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry, retries=1)
        async def login(**_: Any) -> kopf.AiohttpSession:
            connection = await self._login()
            session = connection.session(self._monitor.trace(), self._pages.response_class, reuse=False)
            return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def event(event: Mapping[str, Any], **_: Any) -> None:
            if not self._pages.is_outdated(event["object"]):
                self._on_event(event["type"], event["object"])

        return registry

    async def _login(self) -> Connection:
        """Wait for credentials and return them. After a failed login, kopf would wait forever for another one."""
        while True:
            # Without a delay, kopf would log in, and be refused, a hundred times per second.
            await asyncio.sleep(_LOGIN_SECONDS[min(self._monitor.refused_logins, len(_LOGIN_SECONDS) - 1)])
            try:
                return await Connection.load()
            except ConfigError as error:
                self._monitor.credentials_missing(error)

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        # Definitions and namespaces cannot be watched with rights in only some namespaces.
        settings.scanning.disabled = self._namespace is not None
        settings.persistence.diffbase_storage = _NoDiffs()
        settings.queueing.idle_timeout = _IDLE_SECONDS
        settings.posting.enabled = False  # EventRecorder writes Events, with its own limits
        settings.process.ultimate_exiting_timeout = None  # kopf would kill the process, not the thread
        settings.networking.request_timeout = _REQUEST_SECONDS
        settings.networking.error_backoffs = _RETRY_SECONDS
        settings.watching.server_timeout = self._seconds
        settings.watching.inactivity_timeout = _MAX_SILENCE_FACTOR * self._seconds
        settings.watching.chunk_size = _PAGE
        # ListPages takes the resources out of the answers to lists. A streamed list would pass it by.
        settings.watching.initial_streaming = False
        return settings


class _NoDiffs(kopf.DiffBaseStorage):
    """Saves kopf a deep copy of every object, because `on.event` receives all objects, regardless of what changed."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass
