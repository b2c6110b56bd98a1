"""The log line at the end of an attempt."""

import pytest
from dramatiq import Message, MessageProxy
from structlog.testing import capture_logs

from financehub_shared.broker.delivery import Delivery
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import InvalidArgumentsError, StoreUnavailableError, TaskFailedError
from financehub_shared.worker.middleware.attempt_tracker import AttemptTracker
from financehub_shared.worker.middleware.run_log import RunLog


@pytest.mark.parametrize(
    ("error", "has_traceback"),
    [
        (TaskFailedError("no provider delivered"), False),
        (InvalidArgumentsError("task", "field", "wrong"), False),
        (StoreUnavailableError("Redis is unavailable"), False),
        (KeyError("bug"), True),
    ],
)
@pytest.mark.parametrize("dead", [False, True])
def test_line_of_a_failed_attempt_has_a_traceback_only_if_nobody_expected_the_error(
    error: Exception, has_traceback: bool, dead: bool
) -> None:
    """An error that was raised deliberately is one line with its message."""
    clock = ManualClock()
    log = RunLog(AttemptTracker(clock, 60.0), clock, str)
    delivery: MessageProxy = Delivery(Message("high", "task", (), {}, {}))
    if dead:
        delivery.fail()
    with capture_logs() as lines:
        log.after_process_message(None, delivery, exception=error)  # type: ignore[arg-type]
    (line,) = lines
    assert line["event"] == ("task_dead_lettered" if dead else "task_retrying")
    assert type(error).__name__ in line["error"]
    assert ("exc_info" in line) is has_traceback
