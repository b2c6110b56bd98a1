"""The WSGI application of every process: health, probes, metrics, queues."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog

from financehub_shared.health.report import HealthReport, Status
from financehub_shared.metrics import QueueFigures

log = structlog.get_logger(__name__)

JSON = "application/json"
Answer = tuple[str, str, bytes]

#: As dramatiq takes them.
_QUEUE_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9._-]*")


class HealthApp:
    """Answers GET and HEAD; a scrape ends within 2 s, and the other answers wait for Redis no longer than its timeouts.

    Args:
        report: makes the fleet's health report.
        live: why this process should be restarted; empty if it should not.
        ready: why this process is not ready; empty if it is.
        metrics: returns what this process exposes for an `Accept` header, as content type and body.
        queue: figures of a queue, by name.
    """

    def __init__(
        self,
        *,
        report: Callable[[], HealthReport],
        live: Callable[[], list[str]],
        ready: Callable[[], list[str]],
        metrics: Callable[[str], tuple[str, bytes]],
        queue: Callable[[str], QueueFigures],
    ) -> None:
        self._report = report
        self._expose = metrics
        self._queue_of = queue
        self._routes: dict[str, Callable[[], Answer]] = {
            "/api/health": self._health,
            "/livez": lambda: _probe(live()),
            "/readyz": lambda: _probe(ready()),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        path = environ.get("PATH_INFO", "").rstrip("/") or "/"
        status, content_type, body = self._answer(method, path, environ.get("HTTP_ACCEPT", ""))
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response(status, headers)
        return [] if method == "HEAD" else [body]

    def _answer(self, method: str, path: str, accept: str) -> Answer:
        if method not in {"GET", "HEAD"}:
            return _json("405 Method Not Allowed", {"error": "GET only"})
        try:
            if path.startswith("/queues/"):
                return self._queue(path.removeprefix("/queues/"))
            if path == "/metrics":
                return ("200 OK", *self._expose(accept))
            if path in self._routes:
                return self._routes[path]()
        except Exception as error:
            log.exception("health_endpoint_failed", path=path)
            return _json("503 Service Unavailable", {"status": "down", "error": f"{type(error).__name__}: see the log"})
        known = ["/api/health/", "/livez", "/readyz", "/metrics", "/queues/<queue>"]
        return _json("404 Not Found", {"error": f"no {path}", "known": known})

    def _health(self) -> Answer:
        report = self._report()
        status = "503 Service Unavailable" if report.status is Status.DOWN else "200 OK"
        return _json(status, report.as_dict())

    def _queue(self, name: str) -> Answer:
        if _QUEUE_NAME.fullmatch(name) is None:
            return _json("404 Not Found", {"error": f"{name!r} is no name of a queue"})
        queue = self._queue_of(name)
        fields = ("queue", "ready", "in_flight", "delayed", "dead", "orphaned", "oldest_age_seconds")
        return _json("200 OK", {field: getattr(queue, field) for field in fields})


def _probe(problems: list[str]) -> Answer:
    return _json("503 Service Unavailable" if problems else "200 OK", {"ok": not problems, "problems": problems})


def _json(status: str, payload: Any) -> Answer:
    return status, JSON, json.dumps(payload).encode() + b"\n"
