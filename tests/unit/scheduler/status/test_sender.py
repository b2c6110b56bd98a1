"""What the writer of status makes of refusals that no test can have a real API server give in time."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from financehub_scheduler.kubernetes.client.api import ApiError
from financehub_scheduler.kubernetes.status.sender import FORBIDDEN_SECONDS, NotWrittenError, Sender
from financehub_shared.core.clock import ManualClock
from support.events import sighted


class ForbiddingApi:
    """The in-memory peer of a connection whose role is missing."""

    namespace = "default"

    async def request(self, method: str, path: str, **_: Any) -> Any:
        raise ApiError(403, "Forbidden", f"cannot {method} {path}")


async def test_a_right_that_nobody_waits_for_any_more_silences_nothing() -> None:
    """A namespace that was forbidden and then went does not keep the next one that is forbidden out of the log."""
    clock = ManualClock()
    sender = Sender(ForbiddingApi(), clock)
    with capture_logs() as logs:
        for uid, namespace, wait in [("1", "gone", 1.0), ("2", "gone", 3 * FORBIDDEN_SECONDS), ("3", "other", 0.0)]:
            with pytest.raises(NotWrittenError):
                await sender.send(sighted(uid, namespace), {})
            clock.advance(wait)
    assert [(each["event"], each["error"].split("/")[5]) for each in logs] == [
        ("status_forbidden", "gone"),
        ("status_forbidden", "other"),
    ]
