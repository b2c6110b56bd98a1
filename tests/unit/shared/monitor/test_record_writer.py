"""The record writer when its client fails in a way that nobody foresaw, and when the process stops in an outage."""

import gc
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.broker.delivery import Acknowledgment
from financehub_shared.monitor.event_losses import EventLosses
from financehub_shared.monitor.record_writer import BATCH, RecordWriter
from support.run_events import end_event, start_event
from support.waiting import eventually


def writer_of(script: Callable[[Sequence[str]], None], losses: EventLosses) -> RecordWriter:
    """Return a writer whose script gets the events of each call. It acknowledges the messages."""
    writer = RecordWriter(redis.Redis(), time.monotonic, 86_400, losses)

    def run(_keys: Sequence[str], args: Sequence[Any]) -> list[list[Any]]:
        script(args[3 : 3 + args[2]])
        return [[], [], []]

    writer._script = run  # type: ignore[assignment]
    return writer


def _ack(redis_id: str) -> Acknowledgment:
    """Return the acknowledgment of a message, which fetches nothing."""
    return Acknowledgment(("acks", "messages", "losses"), (redis_id.encode(), "", "worker", 1_000))


def test_unforeseen_error_of_the_client_costs_its_events_and_not_the_later_ones() -> None:
    """The events are counted and named, the worker thread gets no exception, and the writing thread goes on."""
    errors: list[Exception] = [ValueError("a reply of another shape")] * 2
    written: list[str] = []
    lost: list[tuple[str, int]] = []

    def script(events: Sequence[str]) -> None:
        if errors:
            raise errors.pop()
        written.extend(events)

    losses = EventLosses(time.monotonic, lambda reason, count: lost.append((reason, count)))
    writer = writer_of(script, losses)
    writer.start()
    with capture_logs() as logs:
        writer.record_end(end_event("r-1"))  # in the thread of a worker
        writer.record_start(start_event("r-2"))  # in the thread of the writer
        eventually(lambda: len(lost) == 2, "both are lost")
        writer.record_start(start_event("r-3"))
        eventually(lambda: written, "the next one is written")
    writer.stop()
    assert lost == [("refused", 1)] * 2
    assert len(written) == 1
    assert '"id":"r-3"' in written[0]
    (line,) = logs  # the second one says the same within a minute
    assert (line["event"], line["run_id"]) == ("run_event_refused", "r-1")
    assert line["problem"] == "ValueError: a reply of another shape"


def test_error_of_a_whole_call_costs_only_the_event_that_causes_it() -> None:
    """If the script itself fails, the events of the call are sent one by one, and only the refused one is lost (F3)."""
    written: list[str] = []
    lost: list[tuple[str, int]] = []

    def script(events: Sequence[str]) -> None:
        if any('"id":"r-2"' in event for event in events):
            raise redis.ResponseError("the script failed")
        written.extend(events)

    losses = EventLosses(time.monotonic, lambda reason, count: lost.append((reason, count)))
    writer = writer_of(script, losses)
    for number in range(1, 4):
        writer.record_start(start_event(f"r-{number}"))
    with capture_logs() as logs:
        writer.flush()
    assert [number for number in range(1, 4) for event in written if f'"id":"r-{number}"' in event] == [1, 3]
    assert lost == [("refused", 1)]
    (line,) = logs
    assert (line["run_id"], line["problem"]) == ("r-2", "the script failed")


def test_every_event_of_a_process_that_stops_in_an_outage_is_written_or_counted() -> None:
    """Starts without an end, ends that waited, and ends of tasks that outlive the stop are counted or written (F3)."""
    unavailable = True
    written: list[str] = []
    lost: list[tuple[str, int]] = []

    def script(events: Sequence[str]) -> None:
        if unavailable:
            raise redis.ConnectionError("no answer")
        written.extend(events)

    losses = EventLosses(time.monotonic, lambda reason, count: lost.append((reason, count)))
    writer = writer_of(script, losses)
    writer.record_start(start_event("runs on"))
    for number in range(BATCH + 50):
        writer.record_end(end_event(f"waits-{number}"))
    assert lost == []
    writer.stop()
    assert lost == [("exit", BATCH + 51)]
    writer.record_end(end_event("ends in the outage"))
    assert lost == [("exit", BATCH + 51), ("exit", 1)]
    unavailable = False
    writer.record_end(end_event("ends after the outage"))
    assert ['"id":"ends after the outage"' in event for event in written] == [True]
    assert lost == [("exit", BATCH + 51), ("exit", 1)]


def test_ends_that_arrive_during_a_call_share_the_next_one_with_their_acks() -> None:
    """Threads whose runs end while a call is in progress wait for one call, which acknowledges all their messages."""
    writer = RecordWriter(redis.Redis(), time.monotonic, 86_400)
    calls: list[Sequence[Any]] = []
    first_runs, may_end = threading.Event(), threading.Event()

    def run(_keys: Sequence[str], args: Sequence[Any]) -> list[list[Any]]:
        calls.append(args[3:])
        if len(calls) == 1:
            first_runs.set()
            assert may_end.wait(60)
            return [[], [], []]
        return [[], [1], []]  # the second ack of the call fails

    writer._script = run  # type: ignore[assignment]
    acknowledged: dict[int, bool] = {}

    def end(number: int) -> None:
        acknowledged[number] = writer.record_end_and_acknowledge(end_event(f"r-{number}"), _ack(str(number)))

    threads = [threading.Thread(target=end, args=(number,)) for number in range(4)]
    threads[0].start()
    assert first_runs.wait(60)
    for thread in threads[1:]:
        thread.start()
    eventually(lambda: len(writer._settlements) == 4, "three ends wait for the one that is sent")
    may_end.set()
    for thread in threads:
        thread.join()
    first, second = calls
    assert first[1:] == ["acks", "messages", "losses", b"0", "", "worker", 1_000]
    order = [int(id) for id in second[6::7]]
    assert sorted(order) == [1, 2, 3]
    assert [f'"id":"r-{number}"' in event for number, event in zip(order, second[:3], strict=True)] == [True] * 3
    assert acknowledged == {0: True, order[0]: True, order[1]: False, order[2]: True}


def test_end_in_an_outage_is_kept_and_its_message_is_left_to_the_broker() -> None:
    """An end that cannot be written waits with the others, in order, and the caller acknowledges the message."""
    unavailable = True
    written: list[str] = []

    def script(events: Sequence[str]) -> None:
        if unavailable:
            raise redis.ConnectionError("no answer")
        written.extend(events)

    writer = writer_of(script, EventLosses(time.monotonic))
    for number in range(3):
        assert not writer.record_end_and_acknowledge(end_event(f"r-{number}"), _ack("id"))
    unavailable = False
    writer.flush()
    assert [number for event in written for number in range(3) if f'"id":"r-{number}"' in event] == [0, 1, 2]
    assert writer.record_end_and_acknowledge(end_event("r-3"), _ack("id"))
    assert len(written) == 4


class _CountedLock:
    """A lock that knows how many threads have asked for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.asked = 0

    def __enter__(self) -> Self:
        self.asked += 1
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class _Calls:
    """Calls of the script, of which the first one waits until `waiting` other threads have asked to send.

    Args:
        writer: The writer whose script this is.
        waiting: Number of other threads.
        first: Is called instead of the first call.
        later: Is called with the events of each later call.
    """

    def __init__(
        self,
        writer: RecordWriter,
        waiting: int,
        first: Callable[[], object],
        later: Callable[[Sequence[str]], object],
    ) -> None:
        self._lock = _CountedLock()
        writer._sending = self._lock  # type: ignore[assignment]
        writer._script = self._run  # type: ignore[assignment]
        self._waiting, self._first, self._later = waiting, first, later
        self.first_runs = threading.Event()
        self.count = 0

    def _run(self, _keys: Sequence[str], args: Sequence[Any]) -> list[list[Any]]:
        self.count += 1
        if self.count == 1:
            self.first_runs.set()
            eventually(lambda: self._lock.asked > self._waiting, "the other threads wait")
            self._first()
        else:
            self._later(args[3 : 3 + args[2]])
        return [[], [], []]


def _ids(events: Sequence[str]) -> list[str]:
    return [json.loads(event)["id"] for event in events]


class _InterruptError(BaseException):
    """Like the exceptions that dramatiq raises in a thread at a shutdown and at a time limit, not an `Exception`."""


@pytest.mark.parametrize("kept", [0, 2])
def test_interrupt_of_the_thread_that_sends_loses_no_event_of_another_thread(kept: int) -> None:
    """The events of the interrupted call are sent again, and only then do other threads learn that they are recorded.

    Args:
        kept: Number of events that waited in memory before.
    """
    lost: list[tuple[str, int]] = []
    losses = EventLosses(time.monotonic, lambda reason, count: lost.append((reason, count)))
    writer = RecordWriter(redis.Redis(), time.monotonic, 86_400, losses)
    written: list[str] = []

    def interrupt_once(events: Sequence[str]) -> None:
        if calls.count == 2:
            raise _InterruptError
        written.extend(_ids(events))

    calls = _Calls(writer, 2, lambda: None, interrupt_once)
    interrupted: list[str] = []
    seen: dict[str, bool] = {}

    def end(name: str) -> None:
        try:
            acknowledged = writer.record_end_and_acknowledge(end_event(name), _ack(name))
        except _InterruptError:
            interrupted.append(name)
        else:
            seen[name] = (acknowledged or writer.write_waiting()) and name in written

    sender = threading.Thread(target=end, args=("sender",))
    sender.start()
    assert calls.first_runs.wait(60)
    for number in range(kept):
        writer._append(writer._encode(end_event(f"kept-{number}")))
    others = [threading.Thread(target=end, args=(f"other-{number}",)) for number in range(2)]
    for thread in others:
        thread.start()
    for thread in (sender, *others):
        thread.join()
    assert interrupted == ["sender"]
    assert seen == {"other-0": True, "other-1": True}
    assert sorted(written) == [*(f"kept-{number}" for number in range(kept)), "other-0", "other-1"]
    assert lost == []


def test_interrupt_while_the_process_stops_gives_no_event_up() -> None:
    """Redis is not the problem, so the events are written by the next call and are not counted as lost."""
    lost: list[tuple[str, int]] = []
    written: list[str] = []
    interrupts = [_InterruptError()]

    def script(events: Sequence[str]) -> None:
        if interrupts:
            raise interrupts.pop()
        written.extend(_ids(events))

    losses = EventLosses(time.monotonic, lambda reason, count: lost.append((reason, count)))
    writer = writer_of(script, losses)
    writer.stop()
    with pytest.raises(_InterruptError):
        writer.record_end(end_event("r-1"))
    assert writer.write_waiting()
    assert (written, lost) == (["r-1"], [])


def test_unforeseen_error_of_a_call_costs_only_the_event_that_causes_it() -> None:
    """The events of the call are sent one by one, and their messages are acknowledged by the broker."""
    written: list[str] = []
    lost: list[tuple[str, int]] = []
    losses = EventLosses(time.monotonic, lambda reason, count: lost.append((reason, count)))
    writer = RecordWriter(redis.Redis(), time.monotonic, 86_400, losses)

    def refuse_one(events: Sequence[str]) -> None:
        if "r-2" in _ids(events):
            raise ValueError("no JSON")
        written.extend(_ids(events))

    calls = _Calls(writer, 3, lambda: None, refuse_one)
    acknowledged: dict[str, bool] = {}

    def end(name: str) -> None:
        acknowledged[name] = writer.record_end_and_acknowledge(end_event(name), _ack(name))

    threads = [threading.Thread(target=end, args=(f"r-{number}",)) for number in range(4)]
    threads[0].start()
    assert calls.first_runs.wait(60)
    with capture_logs() as logs:
        for thread in threads[1:]:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(written) == ["r-1", "r-3"]
    assert lost == [("refused", 1)]
    assert acknowledged == {"r-0": True, "r-1": False, "r-2": False, "r-3": False}
    (line,) = logs
    assert (line["run_id"], line["problem"]) == ("r-2", "ValueError: no JSON")


def test_threads_that_wait_for_their_records_share_one_call_to_a_redis_that_hangs() -> None:
    """Each acknowledgment waits for one timeout at most, and not for those of all other threads."""
    writer = RecordWriter(redis.Redis(), time.monotonic, 86_400)

    def time_out(*_: object) -> None:
        raise redis.TimeoutError

    calls = _Calls(writer, 4, time_out, time_out)
    results: list[bool] = []
    writer._append(writer._encode(end_event("r-1")))
    threads = [threading.Thread(target=lambda: results.append(writer.write_waiting())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [False] * 5
    assert calls.count == 1
    assert not writer.write_waiting()
    assert calls.count == 2  # a later acknowledgment tries again, although the outage goes on


class _AddsStart:
    """An object that only the garbage collector finds, and that then records a start, as another thread could."""

    def __init__(self, writer: RecordWriter, over: threading.Event) -> None:
        self.writer, self.over = writer, over
        self.cycle = self

    def __del__(self) -> None:
        if not self.over.is_set():
            self.writer.record_start(start_event(f"r-{len(self.writer._starts)}"))
            _AddsStart(self.writer, self.over)


def test_flush_during_which_starts_are_recorded_goes_on() -> None:
    """The thread of the writer would end otherwise, wherever the garbage collector runs in it."""
    written: list[str] = []
    writer = writer_of(written.extend, EventLosses(time.monotonic))
    thresholds = gc.get_threshold()
    over = threading.Event()
    _AddsStart(writer, over)
    try:
        for allocations in range(1, 60):
            for number in range(30):
                writer.record_start(start_event(f"s-{allocations}-{number}"))
            gc.set_threshold(allocations, 0, 0)
            writer.flush()
            gc.set_threshold(0)
    finally:
        over.set()
        gc.set_threshold(*thresholds)
    assert len(written) >= 59 * 30
