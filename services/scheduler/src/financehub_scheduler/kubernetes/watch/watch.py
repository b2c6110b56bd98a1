"""kopf's watch of ScheduledTasks, in a thread and an event loop of its own, started anew whenever it is of no use.

One namespace that is forbidden ends kopf, and with it the watch of all others that it has: so each has its own.

At its end kopf cancels every task of its loop that it did not find there at its start, the engine's too; and a page
of 500 resources takes 10 ms to read, which due runs must not wait for.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import kopf
import structlog

from financehub_scheduler.api.scheduled_task import GROUP, PLURAL, VERSION
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_scheduler.kubernetes.watch.monitor import Traffic
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ConfigError

log = structlog.get_logger(__name__)

#: The server ends each watch after this long, and the next one goes on there: each beginning is a sign of life.
WATCH_SECONDS = 30
#: A watch that outlives the server's own limit without a word is cut off on the way, half-open; times its limit.
_SILENT = 4 / 3
_REQUEST_SECONDS = 30.0
_PAGE = 500
#: How long kopf keeps a task for an object that says nothing; with its 5 s, all of a list have one: 60 MB for 10,000.
_IDLE_SECONDS = 0.5
_RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)
_RESTART_SECONDS = 2.0
#: From the last answer at kopf's start until it asks for ScheduledTasks; if it does not, it has found none to watch.
#: What a watch may be late beyond its limits.
_FOUND_SECONDS = 5.0
_LOOK_SECONDS = 0.5
#: Before a login, by how often credentials were refused; once they are, most are merely out of date.
_LOGIN_SECONDS = (0.0, 0.0, 1.0, 2.0, 4.0, 8.0)

#: Told of an event's type (None while listing, ADDED, MODIFIED, DELETED) and the object.
Told = Callable[[str | None, Mapping[str, Any]], None]


class Watch:
    """Lists and watches for ever.

    Args:
        clock: time.
        namespace: which one is watched; None: all.
        told: called in the watch's thread; must neither block nor raise.
        listed: called in the watch's thread when a list is complete and the watch behind it begins.
        seconds: how long the server is asked to keep one watch open.
    """

    def __init__(
        self,
        clock: Clock,
        namespace: str | None,
        told: Told,
        listed: Callable[[], None],
        seconds: int = WATCH_SECONDS,
    ) -> None:
        self._namespace = namespace
        self._told = told
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._traffic = Traffic(clock, namespace, listed)

    @property
    def began(self) -> float:
        """When a watch last began, monotonic seconds."""
        return self._traffic.began

    @property
    def problem(self) -> str:
        """Why it has not begun since; empty: nothing is wrong."""
        return self._traffic.problem

    def start(self) -> None:
        """Begin."""
        # it reports each try of each request, and each failure up to three times with its traceback; Traffic tells
        # what is wrong, once. What a handler raises is left: it would be a fault of ours
        for name in ("kopf._core", "kopf._cogs", "kopf.activities"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._thread.start()

    def stop(self) -> None:
        """End; a request under way ends with the process."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                asyncio.run(self._operate())
            except Exception as error:  # noqa: BLE001 — whatever ends kopf, the only cure is a new start
                self._traffic.ended(error)
            self._stop.wait(_RESTART_SECONDS)

    async def _operate(self) -> None:
        # not the thread's own flag, on which kopf would wait in a thread that nothing ends when kopf fails
        end = asyncio.Event()
        overseer = asyncio.create_task(self._oversee(end))
        try:
            await kopf.operator(
                registry=self._registry(),
                settings=self._settings(),
                standalone=True,
                # kopf would ask who the user is, and a container's numeric user has no name
                identity="financehub-scheduler",  # type: ignore[arg-type]  # its type is not public
                clusterwide=self._namespace is None,
                namespaces=[self._namespace] if self._namespace else [],
                stop_flag=end,
            )
        finally:
            overseer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await overseer

    async def _oversee(self, end: asyncio.Event) -> None:
        """End kopf when asked to, or when it watches nothing.

        It looks for the definition of ScheduledTasks when it starts and, with rights everywhere, when a definition
        changes, which is sometimes before they are served.
        """
        traffic = self._traffic
        traffic.started()
        longest = _SILENT * self._seconds + _FOUND_SECONDS
        # no event could tell what has not happened
        while not self._stop.is_set() and traffic.silence() < (longest if traffic.asked else _FOUND_SECONDS):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        if not self._stop.is_set() and not traffic.asked:
            traffic.nothing_found()
        end.set()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry, retries=1)
        async def login(**_: Any) -> kopf.AiohttpSession:
            connection = await self._login()
            session = connection.session(self._traffic.trace(), reuse=False)
            return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def event(event: Mapping[str, Any], **_: Any) -> None:
            self._told(event["type"], event["object"])

        return registry

    async def _login(self) -> Connection:
        """Credentials, as soon as there are any: where a login fails, kopf waits for another one for ever."""
        while True:
            # kopf itself would log in and be refused a hundred times a second
            await asyncio.sleep(_LOGIN_SECONDS[min(self._traffic.refused, len(_LOGIN_SECONDS) - 1)])
            try:
                return await Connection.load()
            except ConfigError as error:
                self._traffic.has_no_credentials(error)

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        # with rights in some namespaces only, definitions and namespaces cannot be watched
        settings.scanning.disabled = self._namespace is not None
        settings.persistence.diffbase_storage = _NoDiffs()
        settings.queueing.idle_timeout = _IDLE_SECONDS
        settings.posting.enabled = False  # events are ours to write, with limits
        settings.process.ultimate_exiting_timeout = None  # it would kill the process, not the thread
        settings.networking.request_timeout = _REQUEST_SECONDS
        settings.networking.error_backoffs = _RETRY_SECONDS
        settings.watching.server_timeout = self._seconds
        settings.watching.inactivity_timeout = _SILENT * self._seconds
        settings.watching.chunk_size = _PAGE
        return settings


class _NoDiffs(kopf.DiffBaseStorage):
    """Spares kopf a deep copy of every object: `on.event` is told of all of them, whatever has changed."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass
