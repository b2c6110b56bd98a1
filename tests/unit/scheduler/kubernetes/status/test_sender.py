"""StatusSender: refusals that a test cannot provoke quickly enough in a real API server."""

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
