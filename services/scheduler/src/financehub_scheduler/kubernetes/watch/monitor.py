"""Derives a watch's health from its HTTP requests. No other module logs its outages.

Each outage is logged once, not once per attempt.
"""

from http import HTTPStatus
from types import SimpleNamespace

import aiohttp
import structlog
import yarl

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ConfigError
from financehub_shared.spec.scheduled_task import PLURAL

log = structlog.get_logger(__name__)

_APPLY_CRD = "run `kubectl apply -f deploy/operator/crd.yaml` so that the API server serves ScheduledTasks"
_REMEDIES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the credentials are refused; they are read again until they are valid",
    HTTPStatus.FORBIDDEN: "run `kubectl apply -f deploy/operator/rbac.yaml` to grant the required rights, and check "
    "that the scheduler's service account is bound to them in this namespace",
    HTTPStatus.NOT_FOUND: _APPLY_CRD,
}


class WatchMonitor:
    """Monitors one watch's requests. Everything except reads of the public attributes runs in the watch's thread.

    Args:
        clock: Time.
        namespace: The watched namespace, or None for all of them.
    """

    def __init__(self, clock: Clock, namespace: str | None) -> None:
        self._clock = clock
        self._log = log.bind(namespace=namespace or "all")
        #: Monotonic time at which a watch request last began.
        self.began_at = clock.monotonic()
        #: Problems logged during the current outage, and the latest of them. Both are empty if there is no outage.
        self._logged_problems: set[str] = set()
        self.problem = ""
        #: Monotonic time of the last response, or of kopf's start.
        self._answered_at = 0.0
        #: Whether this run of kopf has received any response, and whether it has requested ScheduledTasks.
        self._reached_server = False
        self.requested_tasks = False
        #: Number of consecutive refused logins.
        self.refused_logins = 0

    def silence_seconds(self) -> float:
        """Return the seconds since the last response about ScheduledTasks.

        Until kopf requests ScheduledTasks, any response and kopf's start count as well.
        """
        return self._clock.monotonic() - self._answered_at

    def kopf_started(self) -> None:
        """Record that kopf is starting."""
        self._answered_at, self._reached_server, self.requested_tasks = self._clock.monotonic(), False, False

    def kopf_ended(self, error: Exception) -> None:
        """Record the exception that ended kopf."""
        # If a response of the API server ended it, that response has already been logged in more detail.
        if not self._logged_problems:
            self._report("the watch failed and restarts", error)

    def credentials_missing(self, error: ConfigError) -> None:
        """Record that credentials are missing, which happens while a file is being replaced."""
        self.refused_logins += 1
        self._report("there are no credentials; they are read again until there are", error)

    def nothing_to_watch(self) -> None:
        """Record that kopf has not requested ScheduledTasks although it reached the API server."""
        if self._reached_server:
            self._report(f"there is nothing to watch; {_APPLY_CRD}")

    def trace(self) -> aiohttp.TraceConfig:
        """Return a trace that reports every request in a session to this monitor."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._on_request)
        trace.on_request_end.append(self._on_answer)
        trace.on_request_exception.append(self._on_exception)
        return trace

    async def _on_request(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestStartParams
    ) -> None:
        self.requested_tasks = self.requested_tasks or params.url.name == PLURAL

    async def _on_exception(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        # The exception is not part of the problem, because it may differ between attempts.
        if isinstance(params.exception, Exception):
            self._report("the API server does not answer", params.exception)

    async def _on_answer(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        status = params.response.status
        if status >= HTTPStatus.BAD_REQUEST:
            if status == HTTPStatus.UNAUTHORIZED:
                self.refused_logins += 1
            remedy = _REMEDIES.get(status, "the request is repeated")
            self._report(f"{params.method} {params.url.path} is answered with {status}: {remedy}")
            return
        self.refused_logins, self._reached_server = 0, True
        if not self.requested_tasks:
            self._answered_at = self._clock.monotonic()
        self._follow(params.url)

    def _follow(self, url: yarl.URL) -> None:
        if url.name != PLURAL:
            return
        self._answered_at = self._clock.monotonic()
        if url.query.get("watch") == "true":
            self.began_at = self._answered_at
            self._report_recovery()

    def _report(self, problem: str, error: Exception | None = None) -> None:
        self.problem = problem
        if problem not in self._logged_problems:
            self._logged_problems.add(problem)
            detail = {"error": f"{type(error).__name__}: {error}"} if error else {}
            self._log.warning("watch_unavailable", problem=problem, **detail)

    def _report_recovery(self) -> None:
        self.problem = ""
        if self._logged_problems:
            self._logged_problems.clear()
            self._log.info("watch_available_again")
