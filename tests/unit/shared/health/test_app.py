"""The WSGI application: paths, statuses and JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from financehub_shared.health.app import HealthApp
from financehub_shared.health.report import Check, HealthReport, Status
from financehub_shared.metrics import Metrics


@dataclass(frozen=True)
class Queue:
    """Figures of one queue."""

    queue: str = "high"
    ready: int = 3
    in_flight: int = 2
    delayed: int = 1
    dead: int = 0
    orphaned: int = 0
    oldest_age_seconds: float = 12.5


def ask(app: HealthApp, path: str, method: str = "GET") -> tuple[str, bytes]:
    """Status and body of a request."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"PATH_INFO": path, "REQUEST_METHOD": method}
    answered: list[str] = []
    body = b"".join(app(environ, lambda status, _headers, _exc=None: answered.append(status)))  # type: ignore[arg-type,return-value]
    return answered[0], body


def make(
    status: Status = Status.OK, live: Sequence[str] = (), ready: Sequence[str] = (), *, broken: bool = False
) -> HealthApp:
    """An application over fixed answers."""

    def report() -> HealthReport:
        if broken:
            raise RuntimeError("password=hunter2")
        return HealthReport.of([Check("redis", status, "because")], 1.0)

    return HealthApp(
        report=report,
        live=lambda: list(live),
        ready=lambda: list(ready),
        metrics=Metrics("high").expose,
        queue=Queue,
    )


@pytest.mark.parametrize(
    ("status", "http"), [(Status.OK, "200 OK"), (Status.DEGRADED, "200 OK"), (Status.DOWN, "503 Service Unavailable")]
)
@pytest.mark.parametrize("path", ["/api/health/", "/api/health"])
def test_only_down_is_503(path: str, status: Status, http: str) -> None:
    """Degraded answers 200 with reasons, so that a load balancer keeps a fleet that still serves; down answers 503."""
    answered, body = ask(make(status), path)
    assert answered == http
    payload = json.loads(body)
    assert payload["status"] == status.value
    assert payload["checks"][0] == {"name": "redis", "status": status.value, "reason": "because", "details": {}}


@pytest.mark.parametrize(("path", "word"), [("/livez", "stuck"), ("/readyz", "draining")])
def test_probes_fail_with_their_reasons(path: str, word: str) -> None:
    """A probe answers 200 without problems, and 503 with each of them named."""
    assert ask(make(), path)[0] == "200 OK"
    status, body = ask(make(live=["stuck"], ready=["draining"]), path)
    assert status.startswith("503")
    assert json.loads(body) == {"ok": False, "problems": [word]}


def test_a_queue_answers_what_keda_asks_for() -> None:
    """`/queues/<queue>` has `oldest_age_seconds` at the top level; what cannot be a queue is 404."""
    status, body = ask(make(), "/queues/high")
    assert (status, json.loads(body)["oldest_age_seconds"]) == ("200 OK", 12.5)
    assert ask(make(), "/queues/no-queue/at-all")[0].startswith("404")


def test_metrics_are_text() -> None:
    """`/metrics` is the registry in Prometheus' text format."""
    status, body = ask(make(), "/metrics")
    assert status == "200 OK"
    assert b"financehub_build_info{" in body


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nope", "404"), ("POST", "/livez", "405"), ("HEAD", "/livez", "200")]
)
def test_other_requests(method: str, path: str, status: str) -> None:
    """Unknown paths are 404, other methods 405, HEAD has no body."""
    answered, body = ask(make(), path, method)
    assert answered.startswith(status)
    assert (body == b"") is (method == "HEAD")


def test_a_source_that_breaks_is_503_and_keeps_its_details_to_the_log() -> None:
    """An unforeseen failure answers 503 with the class of the error and nothing that could be a secret."""
    status, body = ask(make(broken=True), "/api/health/")
    assert status.startswith("503")
    assert b"hunter2" not in body
