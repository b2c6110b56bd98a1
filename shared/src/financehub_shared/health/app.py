"""The endpoints of every process: health, probes, metrics and queue statistics.

Probes are answered at once, from memory. Everything else may have to wait for Redis and is made in other threads.
"""

import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import redis

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.log import get_logger
from financehub_shared.core.outage import Outage
from financehub_shared.health.http_messages import JSON, METHODS, Request, Response
from financehub_shared.health.lane import Lane, LaneFullError
from financehub_shared.health.report import HealthReport, HealthStatus
from financehub_shared.metrics import QueueFigures, metrics_format

log = get_logger(__name__)

#: If a report takes longer than the server waits for it, the last one is served up to this age, with its age.
MAX_REPORT_AGE_SECONDS = 60.0
#: Failures of a queue's statistics within this time count as one.
OUTAGE_PAUSE_SECONDS = 5.0

#: The queue names that dramatiq accepts.
_QUEUE_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9._-]*")
_KNOWN = ["/api/health/", "/livez", "/readyz", "/metrics", "/queues/<queue>"]


@dataclass(frozen=True, slots=True)
class Pending:
    """A response that is being made.

    Args:
        future: The response, when it is made.
        too_late: Returns what to respond if it takes too long.
    """

    future: "Future[Response]"
    too_late: Callable[[], Response]


class HealthApp:
    """Serves GET and HEAD. The report, the metrics and a queue's statistics are made once for all who wait for them.

    Args:
        report: Returns the fleet's health report.
        liveness: Returns the reasons why this process should be restarted; empty if there are none. It is called in
            the server's thread, so it must not wait for anything.
        readiness: Returns the reasons why this process is not ready; empty if there are none. It must not wait either.
        metrics: Returns the content type and body of the metrics for an `Accept` header.
        queue: Returns a queue's statistics, given its name.
        clock: Measures the age of the last report.
    """

    def __init__(
        self,
        *,
        report: Callable[[], HealthReport],
        liveness: Callable[[], list[str]],
        readiness: Callable[[], list[str]],
        metrics: Callable[[str], tuple[str, bytes]],
        queue: Callable[[str], QueueFigures],
        clock: Clock,
    ) -> None:
        self._report = report
        self._probes = {"/livez": liveness, "/readyz": readiness}
        self._metrics = metrics
        self._queue_figures = queue
        self._clock = clock
        # separate lanes, because a slow report must not delay a scrape
        self._reports: Lane[Response] = Lane("health-report")
        self._scrapes: Lane[Response] = Lane("health-metrics")
        self._queues: Lane[Response] = Lane("health-queues")
        self._queue_outage = Outage("queue_statistics", clock.monotonic, log, pause_seconds=OUTAGE_PAUSE_SECONDS)
        #: The last report, and the monotonic time at which it was made.
        self._last_report: tuple[float, HealthReport] | None = None

    def respond(self, request: Request) -> Response | Pending:
        """Return the response to a request, or the pending one. This method never raises and never waits."""
        if request.method not in METHODS:
            return json_response(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "GET only"})
        try:
            return self._route(request)
        except LaneFullError as error:
            return json_response(HTTPStatus.SERVICE_UNAVAILABLE, {"error": f"busy: {error}; try again later"})
        except Exception as error:  # noqa: BLE001 — boundary: one endpoint must not take the server down
            return _failure(request.path, error)

    def _route(self, request: Request) -> Response | Pending:
        path = request.path
        if path in self._probes:
            return _probe(self._probes[path]())
        if path == "/api/health":
            return self._pending(self._reports, path, self._health, self._late_report)
        if path == "/metrics":
            # one collection for each format, and one at a time
            name = metrics_format(request.accept)
            return self._pending(self._scrapes, name, lambda: self._scrape(name))
        if path.startswith("/queues/"):
            name = path.removeprefix("/queues/")
            if _QUEUE_NAME.fullmatch(name) is None:
                return json_response(HTTPStatus.NOT_FOUND, {"error": f"{name!r} is not a valid queue name"})
            return self._pending(self._queues, name, lambda: self._queue(name))
        return json_response(HTTPStatus.NOT_FOUND, {"error": f"no {path}", "known": _KNOWN})

    def _pending(
        self,
        lane: "Lane[Response]",
        name: str,
        make: Callable[[], Response],
        too_late: Callable[[], Response] | None = None,
    ) -> Pending:
        def make_or_fail() -> Response:
            try:
                return make()
            except Exception as error:  # noqa: BLE001 — boundary, as above
                return _failure(name, error)

        return Pending(lane.submit(name, make_or_fail), too_late or _too_late)

    def _health(self) -> Response:
        report = self._report()
        self._last_report = (self._clock.monotonic(), report)
        return _report_response(report)

    def _late_report(self) -> Response:
        if self._last_report is None:
            return _too_late()
        made_at, report = self._last_report
        age = self._clock.monotonic() - made_at
        return _report_response(report, age) if age <= MAX_REPORT_AGE_SECONDS else _too_late()

    def _scrape(self, accept: str) -> Response:
        content_type, body = self._metrics(accept)
        return Response(HTTPStatus.OK, content_type, body)

    def _queue(self, name: str) -> Response:
        try:
            queue = self._queue_figures(name)
        except (redis.RedisError, StoreUnavailableError) as error:
            self._queue_outage.failed(error)
            error_text = "Redis is unavailable; see the log for the reason"
            return json_response(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "down", "error": error_text})
        self._queue_outage.succeeded()
        fields = ("queue", "ready", "in_flight", "delayed", "dead", "orphaned", "oldest_age_seconds")
        return json_response(HTTPStatus.OK, {field: getattr(queue, field) for field in fields})


def json_response(status: HTTPStatus, payload: Any) -> Response:
    """Return a response with a JSON document."""
    return Response(status, JSON, json.dumps(payload).encode() + b"\n")


def _probe(problems: list[str]) -> Response:
    status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
    return json_response(status, {"ok": not problems, "problems": problems})


def _report_response(report: HealthReport, age: float | None = None) -> Response:
    is_down = report.status is HealthStatus.DOWN
    payload = report.as_dict() | ({} if age is None else {"age_seconds": round(age, 1)})
    return json_response(HTTPStatus.SERVICE_UNAVAILABLE if is_down else HTTPStatus.OK, payload)


def _too_late() -> Response:
    error = "not ready in time, because Redis answers too slowly; /livez and /readyz do not wait for it"
    return json_response(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "down", "error": error})


def _failure(path: str, error: Exception) -> Response:
    log.error("health_endpoint_failed", path=path, exc_info=error)
    # without the text of the error, which could contain a secret
    payload = {"status": "down", "error": f"{type(error).__name__}: see the log"}
    return json_response(HTTPStatus.SERVICE_UNAVAILABLE, payload)
