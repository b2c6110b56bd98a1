"""What the requests of the watch say about its health, and the one place that logs it: once, not once a try."""

from collections.abc import Callable
from http import HTTPStatus
from types import SimpleNamespace

import aiohttp
import structlog
import yarl

from financehub_scheduler.api.scheduled_task import PLURAL
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ConfigError

log = structlog.get_logger(__name__)

_SERVE = "kubectl apply -f deploy/operator/crd.yaml lets the API server serve ScheduledTasks"
_MEND: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "its credentials are refused; they are read again until they are valid",
    HTTPStatus.FORBIDDEN: "kubectl apply -f deploy/operator/rbac.yaml grants what is used; see that our service "
    "account is bound to it in this namespace",
    HTTPStatus.NOT_FOUND: _SERVE,
}


class Traffic:
    """Follows requests; all of it in the watch's thread, but `began` and `problem`.

    Args:
        clock: time.
        namespace: which one is watched; None: all.
        listed: called after each list, when the watch behind it begins.
    """

    def __init__(self, clock: Clock, namespace: str | None, listed: Callable[[], None]) -> None:
        self._clock = clock
        self._log = log.bind(namespace=namespace or "all")
        self._listed = listed
        #: When a watch last began, monotonic seconds.
        self.began = clock.monotonic()
        #: Whether a list has begun and the watch behind it has not.
        self._listing = False
        #: What has been wrong since, and the last of it; empty: nothing.
        self._problems: set[str] = set()
        self.problem = ""
        self._heard = 0.0
        #: Whether this start of kopf has got any answer, and whether it has asked for ScheduledTasks.
        self._reached = False
        self.asked = False
        #: How often in a row credentials were refused.
        self.refused = 0

    def silence(self) -> float:
        """Seconds since the last answer about ScheduledTasks; before these are asked for, of any; or kopf's start."""
        return self._clock.monotonic() - self._heard

    def started(self) -> None:
        """Note that kopf begins."""
        self._heard, self._reached, self.asked = self._clock.monotonic(), False, False

    def ended(self, error: Exception) -> None:
        """Note why kopf ended."""
        # an answer that ends it has been told already, and better
        if not self._problems:
            self._wrong("the watch failed and starts anew", error)

    def has_no_credentials(self, error: ConfigError) -> None:
        """Note that there is nothing to log in with, as while a file is being replaced."""
        self.refused += 1
        self._wrong("there are no credentials; they are read again until there are", error)

    def nothing_found(self) -> None:
        """Note that kopf has not asked for ScheduledTasks: it has not found them, unless it has reached nobody."""
        if self._reached:
            self._wrong(f"there is nothing to watch; {_SERVE}")

    def trace(self) -> aiohttp.TraceConfig:
        """To be told of every request of a session."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._asks)
        trace.on_request_end.append(self._answered)
        trace.on_request_exception.append(self._unanswered)
        return trace

    async def _asks(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestStartParams
    ) -> None:
        self.asked = self.asked or params.url.name == PLURAL

    async def _unanswered(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        # how it fails may differ from try to try
        if isinstance(params.exception, Exception):
            self._wrong("the API server does not answer", params.exception)

    async def _answered(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        status = params.response.status
        if status >= HTTPStatus.BAD_REQUEST:
            if status == HTTPStatus.UNAUTHORIZED:
                self.refused += 1
            mend = _MEND.get(status, "it is asked again")
            self._wrong(f"{params.method} {params.url.path} is answered with {status}: {mend}")
            return
        self.refused, self._reached = 0, True
        if not self.asked:
            self._heard = self._clock.monotonic()
        self._follow(params.url)

    def _follow(self, url: yarl.URL) -> None:
        if url.name != PLURAL:
            return
        self._heard = self._clock.monotonic()
        if url.query.get("watch") != "true":
            self._listing = True
            return
        self.began = self._heard
        self._right()
        if self._listing:
            self._listing = False
            self._listed()

    def _wrong(self, problem: str, error: Exception | None = None) -> None:
        self.problem = problem
        if problem not in self._problems:
            self._problems.add(problem)
            detail = {"error": f"{type(error).__name__}: {error}"} if error else {}
            self._log.warning("watch_interrupted", problem=problem, **detail)

    def _right(self) -> None:
        self.problem = ""
        if self._problems:
            self._problems.clear()
            self._log.info("watch_resumed")
