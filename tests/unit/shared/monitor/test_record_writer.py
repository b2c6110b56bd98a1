"""The record writer when its client fails in a way that nobody foresaw, and when the process stops in an outage."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import redis
from structlog.testing import capture_logs

from financehub_shared.monitor.event_losses import EventLosses
from financehub_shared.monitor.record_writer import BATCH, RecordWriter
from support.run_events import end_event, start_event
from support.waiting import eventually


def test_unforeseen_error_of_the_client_costs_its_events_and_not_the_later_ones() -> None:
    """The events are counted and named, the worker thread gets no exception, and the writing thread goes on."""
    errors: list[Exception] = [ValueError("a reply of another shape")] * 2
    written: list[str] = []
    lost: list[tuple[str, int]] = []

    def script(*, keys: Sequence[str], args: Sequence[Any]) -> list[bytes]:
        if errors:
            raise errors.pop()
        written.extend(args[2:])
        return []

    client: Any = SimpleNamespace(register_script=lambda _: script)
    losses = EventLosses(time.monotonic, lambda reason, count: lost.append((reason, count)))
    writer = RecordWriter(client, time.monotonic, 86_400, losses)
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
    assert '"id": "r-3"' in written[0]
    (line,) = logs  # the second one says the same within a minute
    assert (line["event"], line["run_id"]) == ("run_event_refused", "r-1")
    assert line["problem"] == "ValueError: a reply of another shape"


def test_error_of_a_whole_call_costs_only_the_event_that_causes_it() -> None:
    """If the script itself fails, the events of the call are sent one by one, and only the refused one is lost (F3)."""
    written: list[str] = []
    lost: list[tuple[str, int]] = []

    def script(*, keys: Sequence[str], args: Sequence[Any]) -> list[bytes]:
        if any('"id": "r-2"' in event for event in args[2:]):
            raise redis.ResponseError("the script failed")
        written.extend(args[2:])
        return []

    client: Any = SimpleNamespace(register_script=lambda _: script)
    losses = EventLosses(time.monotonic, lambda reason, count: lost.append((reason, count)))
    writer = RecordWriter(client, time.monotonic, 86_400, losses)
    for number in range(1, 4):
        writer.record_start(start_event(f"r-{number}"))
    with capture_logs() as logs:
        writer.flush()
    assert [number for number in range(1, 4) for event in written if f'"id": "r-{number}"' in event] == [1, 3]
    assert lost == [("refused", 1)]
    (line,) = logs
    assert (line["run_id"], line["problem"]) == ("r-2", "the script failed")


def test_every_event_of_a_process_that_stops_in_an_outage_is_written_or_counted() -> None:
    """Starts without an end, ends that waited, and ends of tasks that outlive the stop are counted or written (F3)."""
    unavailable = True
    written: list[str] = []
    lost: list[tuple[str, int]] = []

    def script(*, keys: Sequence[str], args: Sequence[Any]) -> list[bytes]:
        if unavailable:
            raise redis.ConnectionError("no answer")
        written.extend(args[2:])
        return []

    client: Any = SimpleNamespace(register_script=lambda _: script)
    losses = EventLosses(time.monotonic, lambda reason, count: lost.append((reason, count)))
    writer = RecordWriter(client, time.monotonic, 86_400, losses)
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
    assert ['"id": "ends after the outage"' in event for event in written] == [True]
    assert lost == [("exit", BATCH + 51), ("exit", 1)]
