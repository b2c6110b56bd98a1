"""The WSGI application of every process, which serves health, probes, metrics and queue statistics."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog

from financehub_shared.health.report import HealthReport, HealthStatus
from financehub_shared.metrics import QueueFigures

log = structlog.get_logger(__name__)

JSON = "application/json"
#: Status line, content type and body.
Response = tuple[str, str, bytes]

#: The queue names that dramatiq accepts.
_QUEUE_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9._-]*")


class HealthApp:
    """Serves GET and HEAD. A scrape ends within 2 s; other requests wait for Redis no longer than the client timeouts.

    Args:
        report: Returns the fleet's health report.
        liveness: Returns the reasons why this process should be restarted; empty if there are none.
        readiness: Returns the reasons why this process is not ready; empty if there are none.
        metrics: Returns the content type and body of the metrics for an `Accept` header.
        queue: Returns a queue's statistics, given its name.
    """

    def __init__(
        self,
        *,
        report: Callable[[], HealthReport],
        liveness: Callable[[], list[str]],
        readiness: Callable[[], list[str]],
        metrics: Callable[[str], tuple[str, bytes]],
        queue: Callable[[str], QueueFigures],
    ) -> None:
        self._report = report
        self._metrics = metrics
        self._queue_figures = queue
        self._routes: dict[str, Callable[[], Response]] = {
            "/api/health": self._health,
            "/livez": lambda: _probe(liveness()),
            "/readyz": lambda: _probe(readiness()),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        path = environ.get("PATH_INFO", "").rstrip("/") or "/"
        status, content_type, body = self._respond(method, path, environ.get("HTTP_ACCEPT", ""))
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response(status, headers)
        return [] if method == "HEAD" else [body]

    def _respond(self, method: str, path: str, accept: str) -> Response:
        if method not in {"GET", "HEAD"}:
            return _json("405 Method Not Allowed", {"error": "GET only"})
        try:
            if path.startswith("/queues/"):
                return self._queue(path.removeprefix("/queues/"))
            if path == "/metrics":
                return ("200 OK", *self._metrics(accept))
            if path in self._routes:
                return self._routes[path]()
        except Exception as error:
            log.exception("health_endpoint_failed", path=path)
            return _json("503 Service Unavailable", {"status": "down", "error": f"{type(error).__name__}: see the log"})
        known = ["/api/health/", "/livez", "/readyz", "/metrics", "/queues/<queue>"]
        return _json("404 Not Found", {"error": f"no {path}", "known": known})

    def _health(self) -> Response:
        report = self._report()
        status = "503 Service Unavailable" if report.status is HealthStatus.DOWN else "200 OK"
        return _json(status, report.as_dict())

    def _queue(self, name: str) -> Response:
        if _QUEUE_NAME.fullmatch(name) is None:
            return _json("404 Not Found", {"error": f"{name!r} is not a valid queue name"})
        queue = self._queue_figures(name)
        fields = ("queue", "ready", "in_flight", "delayed", "dead", "orphaned", "oldest_age_seconds")
        return _json("200 OK", {field: getattr(queue, field) for field in fields})


def _probe(problems: list[str]) -> Response:
    return _json("503 Service Unavailable" if problems else "200 OK", {"ok": not problems, "problems": problems})


def _json(status: str, payload: Any) -> Response:
    return status, JSON, json.dumps(payload).encode() + b"\n"
