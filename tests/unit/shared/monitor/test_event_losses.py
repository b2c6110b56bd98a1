"""The counter and the log lines of run events that are not recorded."""

from collections import Counter

import pytest
from structlog.testing import capture_logs

from financehub_shared.monitor.event_losses import PAUSE_SECONDS, EventLosses, LossReason


def test_losses_with_the_same_problem_are_counted_and_logged_once_a_minute() -> None:
    """Every event is counted. A problem that repeats has one line a minute, with the number of events since."""
    counted: Counter[str] = Counter()
    now = [0.0]
    losses = EventLosses(lambda: now[0], lambda reason, number: counted.update({reason: number}))
    with capture_logs() as lines:
        for _ in range(500):
            losses.count(LossReason.REFUSED, 1, b"WRONGTYPE of a key", {"id": "r-1", "task": "t", "kind": "finish"})
        losses.count(LossReason.REFUSED, 1, "another problem")
        now[0] += PAUSE_SECONDS
        losses.count(LossReason.REFUSED, 1, b"WRONGTYPE of a key")
        losses.count(LossReason.MEMORY, 0, "nothing is lost")
    assert counted == {"refused": 502}
    assert [(line["event"], line["count"], line["problem"]) for line in lines] == [
        ("run_event_refused", 1, "WRONGTYPE of a key"),
        ("run_event_refused", 1, "another problem"),
        ("run_event_refused", 500, "WRONGTYPE of a key"),
    ]
    assert (lines[0]["run_id"], lines[0]["run_task"], lines[0]["run_event"]) == ("r-1", "t", "finish")


@pytest.mark.parametrize("reason", [LossReason.MEMORY, LossReason.EXIT])
def test_losses_in_an_outage_are_logged_with_their_number(reason: LossReason) -> None:
    """The line names the number of lost events and the reason."""
    with capture_logs() as lines:
        EventLosses(lambda: 0.0).count(reason, 17, "Connection refused")
    assert [(line["event"], line["log_level"], line["reason"], line["count"]) for line in lines] == [
        ("run_events_lost", "error", reason.value, 17)
    ]
