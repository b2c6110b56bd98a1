"""StatusSender: refusals that a test cannot provoke quickly enough in a real API server."""

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.kubernetes.client.api import ApiError, ApiRequest
from financehub_scheduler.kubernetes.status.sender import (
    FIRST_FORBIDDEN_SECONDS,
    FORBIDDEN_SECONDS,
    StatusSender,
    StatusWriteFailedError,
)
from financehub_scheduler.kubernetes.status.server_errors import PAUSE_SECONDS, RESOURCES_OF_AN_OUTAGE
from financehub_shared.core.clock import ManualClock
from support.events import watched_resource


class ForbiddingApi:
    """In-memory API client without a role, so that every request is forbidden."""

    namespace = "default"

    async def send(self, request: ApiRequest) -> Any:
        raise ApiError(403, "Forbidden", f"cannot {request.method} {request.path}")


async def test_sender_with_second_forbidden_namespace_logs_it_after_the_first_is_gone() -> None:
    """A forbidden namespace that no longer exists does not suppress the next forbidden namespace's log line."""
    clock = ManualClock()
    sender = StatusSender(ForbiddingApi(), clock)
    with capture_logs() as logs:
        for uid, namespace, wait in [("1", "gone", 1.0), ("2", "gone", 3 * FORBIDDEN_SECONDS), ("3", "other", 0.0)]:
            with pytest.raises(StatusWriteFailedError):
                await sender.send(watched_resource(uid, namespace), {})
            clock.advance(wait)
    assert [(line["event"], line["error"].split("/")[5]) for line in logs] == [
        ("status_write_failed", "gone"),
        ("status_write_failed", "other"),
    ]


async def test_sender_with_repeated_refusals_pauses_briefly_first() -> None:
    """The first refusal in a namespace causes a short pause, because an API server that starts refuses for a moment."""
    clock = ManualClock()
    sender = StatusSender(ForbiddingApi(), clock)
    pauses = []
    for _ in range(3):
        with pytest.raises(StatusWriteFailedError) as failure:
            await sender.send(watched_resource("1", "default"), {})
        pauses.append(failure.value.retry_at - clock.monotonic())
        clock.advance(pauses[-1])
    assert pauses == [FIRST_FORBIDDEN_SECONDS, FORBIDDEN_SECONDS, FORBIDDEN_SECONDS]


class FailingApi:
    """In-memory API client that answers with HTTP 500 for some resources.

    Args:
        failing: Names of the resources; None for all.
    """

    namespace = "default"

    def __init__(self, failing: set[str] | None) -> None:
        self.failing = failing

    async def send(self, request: ApiRequest) -> Any:
        assert request.body is not None
        if self.failing is None or request.body["metadata"]["name"] in self.failing:
            raise ApiError(500, "", "failed to create typed live object: .status.conditions: expected list")
        return {"status": request.body["status"]}


async def test_sender_with_two_broken_resources_writes_the_others_and_names_each_once() -> None:
    """A stored object that does not fit the schema is not an outage: it neither delays others nor repeats lines."""
    clock = ManualClock()
    resources = [watched_resource(f"uid-{number}", "default", name=f"task-{number}") for number in range(10)]
    sender = StatusSender(FailingApi({"task-3", "task-4"}), clock)
    written: Counter[str] = Counter()
    with capture_logs() as logs:
        for _ in range(20):
            for resource in resources:
                with suppress(StatusWriteFailedError):
                    await sender.send(resource, {})
                    written[resource.name] += 1
                assert sender.retry_after("default") <= clock.monotonic(), "all others may be written now"
            clock.advance(PAUSE_SECONDS)
    assert written == {resource.name: 20 for resource in resources if resource.name not in {"task-3", "task-4"}}
    lines = [(line["event"], line.get("schedule")) for line in logs]
    assert lines == [("status_write_failed", "default/task-3"), ("status_write_failed", "default/task-4")]


async def test_sender_with_an_api_server_that_fails_for_all_waits() -> None:
    """If etcd does not answer, every resource fails. That is one outage with one end, and the pause grows."""
    clock = ManualClock()
    resources = [watched_resource(f"uid-{number}", "default", name=f"task-{number}") for number in range(100)]
    api = FailingApi(None)
    sender = StatusSender(api, clock)
    sent = 0
    with capture_logs() as logs:
        for resource in resources:
            for _ in range(600):  # as the writer does: no request before the time
                if sender.retry_after("default") <= clock.monotonic():
                    break
                clock.advance(1.0)
            with pytest.raises(StatusWriteFailedError):
                await sender.send(resource, {})
            sent += 1
        assert clock.monotonic() > 30.0 * (sent - 10), "30 s between two attempts"
        api.failing = set()
        await sender.send(resources[0], {})
    events = [line["event"] for line in logs]
    alone = RESOURCES_OF_AN_OUTAGE - 1
    assert events == ["status_write_failed"] * alone + ["status_writes_unavailable", "status_writes_available_again"]
