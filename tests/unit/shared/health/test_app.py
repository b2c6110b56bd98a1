"""The endpoints for health, probes, metrics and queues."""

import json
import threading
from collections.abc import Sequence

import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.health.app import MAX_REPORT_AGE_SECONDS, HealthApp, Pending
from financehub_shared.health.http_messages import Request
from financehub_shared.health.report import HealthCheck, HealthReport, HealthStatus
from financehub_shared.metrics import Metrics, QueueFigures
from support.health import queue


def request(app: HealthApp, path: str, method: str = "GET") -> tuple[str, bytes]:
    """Return the status and the body of a response."""
    response = app.respond(Request(method, path.rstrip("/")))
    if isinstance(response, Pending):
        response = response.future.result(60)
    return f"{response.status.value} {response.status.phrase}", response.body


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
        clock=ManualClock(),
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


def test_metrics_with_any_accept_header_need_two_results() -> None:
    """Clients that ask for many versions share two results, so that they cannot keep Prometheus waiting."""
    app = build_app()
    for number in range(100):
        for version in (f"{number}.0", f"1.0.0version{number}", f"1\r{number}"):
            response = app.respond(Request("GET", "/metrics", f"application/openmetrics-text;version={version}"))
            assert isinstance(response, Pending)
            assert response.future.result(60).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nope", "404"), ("POST", "/livez", "405"), ("HEAD", "/livez", "200")]
)
def test_other_requests_respond_with_http_status(method: str, path: str, status: str) -> None:
    """An unknown path responds with 404, an unsupported method with 405, and HEAD like GET."""
    actual, _ = request(build_app(), path, method)
    assert actual.startswith(status)


def test_unexpected_error_responds_503_without_details() -> None:
    """An unexpected error responds with 503 and the error's class, without text that could contain a secret."""
    status, body = request(build_app(broken=True), "/api/health/")
    assert status.startswith("503")
    assert b"hunter2" not in body


@pytest.mark.parametrize("error", [redis.ConnectionError("Connection refused"), StoreUnavailableError("paused")])
def test_queue_endpoint_during_an_outage_responds_503_and_logs_it_once(error: Exception) -> None:
    """KEDA asks every few seconds, and Redis that is away is not a defect of the endpoint."""
    app, away = build_app(), [True]

    def figures(name: str) -> QueueFigures:
        if away:
            raise error
        return queue(name)

    app._queue_figures = figures
    with capture_logs() as logs:
        for _ in range(3):
            status, body = request(app, "/queues/high")
            assert status.startswith("503")
            assert json.loads(body) == {"status": "down", "error": "Redis is unavailable; see the log for the reason"}
        away.clear()
        assert request(app, "/queues/high")[0] == "200 OK"
    assert [entry["event"] for entry in logs] == ["queue_statistics_unavailable", "queue_statistics_available_again"]


def test_late_report_is_the_last_one_with_its_age() -> None:
    """A client that waits too long gets the last report with its age, and an error if that is old or absent."""
    clock, hang = ManualClock(), threading.Event()
    hang.set()

    def report() -> HealthReport:
        assert hang.wait(60)
        return HealthReport.of([HealthCheck("redis", HealthStatus.OK, "because")], 1.0)

    app = HealthApp(
        report=report, liveness=list, readiness=list, metrics=Metrics("high").expose, queue=queue, clock=clock
    )
    hang.clear()
    waiting = [app.respond(Request("GET", "/api/health")) for _ in range(100)]
    assert len({id(pending.future) for pending in waiting if isinstance(pending, Pending)}) == 1
    first = waiting[0]
    assert isinstance(first, Pending)
    assert first.too_late().status == 503
    hang.set()
    assert json.loads(first.future.result(60).body)["status"] == "ok"
    clock.advance(7.25)
    late = first.too_late()
    assert (late.status, json.loads(late.body)["status"], json.loads(late.body)["age_seconds"]) == (200, "ok", 7.2)
    clock.advance(MAX_REPORT_AGE_SECONDS)
    assert first.too_late().status == 503


def test_metrics_are_collected_once_for_all_who_wait() -> None:
    """Requests for the same format share a collection."""
    proceed, collections = threading.Event(), []

    def metrics(accept: str) -> tuple[str, bytes]:
        assert proceed.wait(60)
        collections.append(accept)
        return "text/plain", b"x 1\n"

    app = HealthApp(
        report=lambda: HealthReport.of([], 1.0),
        liveness=list,
        readiness=list,
        metrics=metrics,
        queue=queue,
        clock=ManualClock(),
    )
    waiting = [app.respond(Request("GET", "/metrics", accept)) for accept in ["", "*/*", "text/plain"] * 20]
    proceed.set()
    bodies = {pending.future.result(60).body for pending in waiting if isinstance(pending, Pending)}
    assert bodies == {b"x 1\n"}
    assert len(collections) == 1
