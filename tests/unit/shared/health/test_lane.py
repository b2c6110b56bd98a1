"""Results that are made once for all who wait for them."""

import threading

import pytest

from financehub_shared.health.lane import MAX_WAITING, Lane, LaneFullError


def test_lane_with_equal_requests_makes_the_result_once() -> None:
    """Requests that arrive while the result is made get that result. A later request gets a newer one."""
    lane: Lane[int] = Lane("test")
    proceed, started, made = threading.Event(), threading.Event(), []

    def make() -> int:
        started.set()
        assert proceed.wait(60)
        made.append(0)
        return len(made)

    first = lane.submit("a", make)
    assert started.wait(60)
    same = [lane.submit("a", make) for _ in range(50)]
    proceed.set()
    assert {future.result(60) for future in (first, *same)} == {1}
    assert lane.submit("a", make).result(60) == 2


def test_lane_with_a_failing_result_reports_it_and_continues() -> None:
    """An exception reaches the waiting clients only."""
    lane: Lane[int] = Lane("test")

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        lane.submit("a", fail).result(60)
    assert lane.submit("a", lambda: 1).result(60) == 1


def test_lane_with_too_many_results_refuses_more() -> None:
    """The number of different results that wait is limited, because clients choose their names."""
    lane: Lane[int] = Lane("test")
    proceed = threading.Event()
    futures = [lane.submit(str(number), lambda: int(proceed.wait(60))) for number in range(MAX_WAITING)]
    with pytest.raises(LaneFullError):
        lane.submit("one more", lambda: 1)
    assert lane.submit("0", lambda: 2) is futures[0]
    proceed.set()
    assert [future.result(60) for future in futures] == [1] * MAX_WAITING


def test_lane_whose_thread_cannot_start_refuses_and_works_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process at its limit of threads answers again as soon as it can start one."""
    lane: Lane[int] = Lane("test")

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", fail)
        for _ in range(2):
            with pytest.raises(LaneFullError, match="cannot start a thread"):
                lane.submit("a", lambda: 1)
    assert lane.submit("a", lambda: 1).result(60) == 1
