"""The clock of one process is set one hour forward and back while it works. All others have the right time."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.faults.conftest import Count, StartRig, assert_exactly_once
from support.fault_rig import FaultRig
from support.redis_server import RedisServer
from support.shifted_clock import ShiftedClock
from support.waiting import eventually

pytestmark = pytest.mark.faults

_HOUR = 3_600
#: A process knows the time of Redis to half of the duration of a round trip, which is long on a busy machine.
_PRECISION_SECONDS = 1.0


def _sees_shift(rig: FaultRig, process: str) -> bool:
    return '"problem":"clock-skew"' in (rig.directory / f"{process}.log").read_text()


@pytest.mark.parametrize("process", ["worker-0", "scheduler"])
def test_clock_that_is_set_forward_and_back_neither_loses_nor_doubles(
    process: str, tmp_path: Path, redis_server: Callable[..., RedisServer], start_rig: StartRig, count: Count
) -> None:
    """No message is skipped as too old, and no due time is enqueued early, late or twice."""
    clock = ShiftedClock(tmp_path)
    rig = start_rig(redis_server().url, environments={process: clock.environment})
    for shift in (_HOUR, -_HOUR, 0):
        clock.shift(shift)
        eventually(lambda: _sees_shift(rig, process), f"{process} sees the shift")
        time.sleep(4)
        rig.wait_for_runs()
    early = rig.latest_due_time() - time.time()
    assert early <= _PRECISION_SECONDS, f"a due time was enqueued {early:.0f} s early"
    assert_exactly_once(count(rig, f"clock of the {process.partition('-')[0]} +1 h, -1 h", None))


@pytest.mark.parametrize("shift", [_HOUR, -_HOUR], ids=["ahead", "behind"])
def test_processes_that_start_with_a_wrong_clock_work_by_the_time_of_redis(
    shift: int, tmp_path: Path, redis_server: Callable[..., RedisServer], start_rig: StartRig, count: Count
) -> None:
    """A worker and the only scheduler whose clocks were wrong before they started neither lose nor double."""
    clock = ShiftedClock(tmp_path)
    clock.shift(shift)
    rig = start_rig(redis_server().url, environments={"worker-0": clock.environment, "scheduler": clock.environment})
    rig.wait_for_runs()
    for process in ("worker-0", "scheduler"):
        eventually(lambda process=process: _sees_shift(rig, process), f"{process} has a wrong time")
    assert rig.latest_due_time() <= time.time() + _PRECISION_SECONDS
    assert_exactly_once(count(rig, f"clocks wrong from the start, {shift // _HOUR:+d} h", None))
