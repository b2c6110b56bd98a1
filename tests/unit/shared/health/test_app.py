"""The WSGI application for health, probes, metrics and queues."""

import json
from collections.abc import Sequence
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from financehub_shared.health.app import HealthApp
from financehub_shared.health.report import HealthCheck, HealthReport, HealthStatus
from financehub_shared.metrics import Metrics
from support.health import queue


def request(app: HealthApp, path: str, method: str = "GET") -> tuple[str, bytes]:
    """Return the status and the body of a response."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"PATH_INFO": path, "REQUEST_METHOD": method}
    statuses: list[str] = []
    body = b"".join(app(environ, lambda status, _headers, _exc=None: statuses.append(status)))  # type: ignore[arg-type,return-value]
    return statuses[0], body


def build_app(
    status: HealthStatus = HealthStatus.OK,
    liveness: Sequence[str] = (),
    readiness: Sequence[str] = (),
    *,
    broken: bool = False,
) -> HealthApp:
    """Build an application with a fixed report and fixed probes."""

    def report() -> HealthReport:
        if broken:
            raise RuntimeError("password=hunter2")
        return HealthReport.of([HealthCheck("redis", status, "because")], 1.0)

    return HealthApp(
        report=report,
        liveness=lambda: list(liveness),
        readiness=lambda: list(readiness),
        metrics=Metrics("high").expose,
        queue=lambda name: queue(name, oldest_age_seconds=12.5),
    )


@pytest.mark.parametrize(
    ("status", "http_status"),
    [
        (HealthStatus.OK, "200 OK"),
        (HealthStatus.DEGRADED, "200 OK"),
        (HealthStatus.DOWN, "503 Service Unavailable"),
    ],
)
@pytest.mark.parametrize("path", ["/api/health/", "/api/health"])
def test_health_endpoint_responds_503_only_if_fleet_is_down(path: str, status: HealthStatus, http_status: str) -> None:
    """A degraded fleet responds with 200, so that a load balancer keeps it. Only a down fleet responds with 503."""
    actual, body = request(build_app(status), path)
    assert actual == http_status
    payload = json.loads(body)
    assert payload["status"] == status.value
    assert payload["checks"][0] == {"name": "redis", "status": status.value, "reason": "because", "details": {}}


@pytest.mark.parametrize(("path", "word"), [("/livez", "stuck"), ("/readyz", "draining")])
def test_probe_with_problem_responds_503_with_reason(path: str, word: str) -> None:
    """A probe responds with 200 if there is no problem, and otherwise with 503 and the reasons."""
    assert request(build_app(), path)[0] == "200 OK"
    status, body = request(build_app(liveness=["stuck"], readiness=["draining"]), path)
    assert status.startswith("503")
    assert json.loads(body) == {"ok": False, "problems": [word]}


def test_queue_endpoint_has_field_that_keda_reads() -> None:
    """`/queues/<queue>` has `oldest_age_seconds` at the top level, and an invalid queue name responds with 404."""
    status, body = request(build_app(), "/queues/high")
    assert (status, json.loads(body)["oldest_age_seconds"]) == ("200 OK", 12.5)
    assert request(build_app(), "/queues/no-queue/at-all")[0].startswith("404")


def test_metrics_endpoint_returns_text_format() -> None:
    """`/metrics` returns the metrics in the text format of Prometheus."""
    status, body = request(build_app(), "/metrics")
    assert status == "200 OK"
    assert b"financehub_build_info{" in body


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nope", "404"), ("POST", "/livez", "405"), ("HEAD", "/livez", "200")]
)
def test_other_requests_respond_with_http_status(method: str, path: str, status: str) -> None:
    """An unknown path responds with 404, an unsupported method with 405, and HEAD without a body."""
    actual, body = request(build_app(), path, method)
    assert actual.startswith(status)
    assert (body == b"") is (method == "HEAD")


def test_unexpected_error_responds_503_without_details() -> None:
    """An unexpected error responds with 503 and the error's class, without text that could contain a secret."""
    status, body = request(build_app(broken=True), "/api/health/")
    assert status.startswith("503")
    assert b"hunter2" not in body
