"""EventCorrelator: which occurrences share an Event, and which are dropped."""

import math
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from financehub_scheduler.kubernetes.events.bodies import patch_body
from financehub_scheduler.kubernetes.events.correlator import (
    MAX_RECORDS,
    RESOURCE_BURST,
    RESOURCE_SECONDS,
    SAME_SECONDS,
    UPDATE_SECONDS,
    EventCorrelator,
    EventRecord,
)
from financehub_scheduler.kubernetes.events.drafts import EventDraft
from financehub_shared.core.clock import ManualClock
from support.events import watched_resource


def draft(message: str = "why", reason: str = "Skipped") -> EventDraft:
    """Return the contents of an Event."""
    return EventDraft("Normal", reason, message)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test advances."""
    return ManualClock()


@pytest.fixture
def correlator(clock: ManualClock) -> EventCorrelator:
    """A correlator that knows more resources than the number of records that it keeps."""
    uids = ["frequent", "posted", *map(str, range(MAX_RECORDS + 1))]
    return EventCorrelator(clock, {uid: watched_resource(uid) for uid in uids})


def due(correlator: EventCorrelator) -> list[EventRecord]:
    """Return the records that must be sent to the API server."""
    return [record for _, record in correlator.due()]


def post(correlator: EventCorrelator) -> None:
    """Mark every due record as sent."""
    for record in due(correlator):
        correlator.sent(record, record.count)


@pytest.mark.parametrize(
    ("first", "second", "events"),
    [
        (draft("queue q holds 51"), draft("queue q holds 7"), 1),
        (draft(f"run {uuid4()} was lost"), draft(f"run {uuid4()} was lost"), 1),
        (draft("the last run is queued"), draft("queue q holds 51"), 2),
        (draft("boom"), draft("bang"), 2),
        (draft(reason="Skipped"), draft(reason="Missed"), 2),
    ],
)
def test_correlator_with_same_reason_and_words_counts_one_event(
    correlator: EventCorrelator, first: EventDraft, second: EventDraft, events: int
) -> None:
    """Occurrences share an Event if they differ only in numbers and ids. Other words or reasons create a new Event."""
    correlator.add("1", first)
    correlator.add("1", second)
    assert len(due(correlator)) == events
    assert sum(record.count for record in due(correlator)) == 2
    assert due(correlator)[-1].draft == second


def test_correlator_with_two_resources_makes_two_events(correlator: EventCorrelator) -> None:
    """The same occurrence for two resources creates two Events."""
    correlator.add("1", draft())
    correlator.add("2", draft())
    assert [record.count for record in due(correlator)] == [1, 1]


@pytest.mark.parametrize(
    ("posted", "after", "counts"),
    [
        (True, SAME_SECONDS - 1, [2]),
        (True, SAME_SECONDS, [1]),
        # the API server does not have it yet
        (False, SAME_SECONDS, [2]),
        (False, 10 * SAME_SECONDS, [2]),
    ],
)
def test_correlator_after_ten_minutes_makes_another_event(
    correlator: EventCorrelator, clock: ManualClock, *, posted: bool, after: float, counts: list[int]
) -> None:
    """A repetition after ten minutes creates another Event, unless the first one has not been posted yet."""
    correlator.add("1", draft())
    if posted:
        post(correlator)
    clock.advance(after)
    correlator.add("1", draft())
    assert [record.count for record in due(correlator)] == counts


def test_correlator_with_frequent_event_updates_it_every_30_s(correlator: EventCorrelator, clock: ManualClock) -> None:
    """An Event that occurs every second is posted immediately, then updated every 30 s with count and timestamps."""
    start, sent = clock.now(), []
    for second in range(61):
        correlator.add("1", draft())
        for record in due(correlator):
            sent.append((second, record.count, record.first_at - start, record.last_at - start))
            correlator.sent(record, record.count)
        clock.advance(1)
    assert sent == [(0, 1, 0, 0), (30, 31, 0, 30), (60, 61, 0, 60)]


def test_correlator_with_occurrence_during_a_request_sends_it_later(
    correlator: EventCorrelator, clock: ManualClock
) -> None:
    """An occurrence that is added while its Event is being posted is sent with the next update, 30 s later."""
    correlator.add("1", draft())
    (record,) = due(correlator)
    correlator.add("1", draft())
    correlator.sent(record, 1)
    assert due(correlator) == []
    clock.advance(UPDATE_SECONDS)
    assert [record.count for record in due(correlator)] == [2]


def test_correlator_limits_new_events_per_resource(correlator: EventCorrelator, clock: ManualClock) -> None:
    """A resource gets a burst of Events and then one in five minutes. Other resources are not affected."""
    for letter in "abcdefghijklmnop":
        correlator.add("1", draft(letter))
    assert len(due(correlator)) == RESOURCE_BURST
    assert correlator.take_dropped() == 16 - RESOURCE_BURST
    correlator.add("2", draft())
    assert len(due(correlator)) == RESOURCE_BURST + 1
    clock.advance(RESOURCE_SECONDS)
    correlator.add("1", draft("y"))
    correlator.add("1", draft("z"))
    assert len(due(correlator)) == RESOURCE_BURST + 2
    assert correlator.take_dropped() == 1


def test_correlator_with_too_many_records_keeps_the_newest(correlator: EventCorrelator, clock: ManualClock) -> None:
    """The records that were updated last are kept. The others count as dropped unless they were posted."""
    correlator.add("frequent", draft())
    correlator.add("posted", draft())
    post(correlator)
    for number in range(MAX_RECORDS + 1):
        correlator.add(str(number), draft())
        correlator.add("frequent", draft())
    assert correlator.take_dropped() == 2
    clock.advance(UPDATE_SECONDS)
    records = {record.resource.uid: record for record in due(correlator)}
    assert set(records) == {"frequent", *(str(number) for number in range(2, MAX_RECORDS + 1))}
    assert records["frequent"].count == MAX_RECORDS + 2


def test_correlator_due_returns_the_longest_due_first(correlator: EventCorrelator, clock: ManualClock) -> None:
    """The record that has waited longest is first, so that a frequent Event neither overtakes others nor starves."""
    for uid in "123":
        correlator.add(uid, draft())
        clock.advance(1)
    correlator.add("1", draft())
    assert [record.resource.uid for record in due(correlator)] == ["1", "2", "3"]


def test_correlator_with_unknown_resource_ignores_it(correlator: EventCorrelator) -> None:
    """An occurrence for a resource that no longer exists is ignored and does not count as dropped."""
    correlator.add("gone", draft())
    assert due(correlator) == []
    assert correlator.take_dropped() == 0


@given(st.integers(1, 253), st.integers(0, 252), st.sampled_from("-."))
@example(253, 235, "-")
@example(253, 235, ".")
def test_event_name_is_valid_and_unique_for_any_resource_name(length: int, at: int, mark: str) -> None:
    """Event names are valid and unique, and start with the resource's name."""
    letters = ["a"] * length
    if 0 < at < length - 1:
        letters[at] = mark
    resource = watched_resource(name="".join(letters))
    first, second = (EventRecord(resource, draft(), 0, 0, 0, math.inf).name for _ in range(2))
    assert first != second
    assert len(first) <= 253
    assert all(label.strip("-") == label != "" for label in first.split("."))
    assert first.startswith(resource.name[:235])


def test_event_message_from_outside_is_one_printable_line() -> None:
    """An Event may quote an error of a run, which must not control the terminal of `kubectl describe`."""
    hostile = EventDraft("Warning", "Failed", "run x failed: \x1b[2J\n\u202eforged\ud800" + "é" * 2_000)
    body = patch_body(EventRecord(watched_resource("ns", "name"), hostile, 0, 0, 0, math.inf), str)
    assert body["message"].isprintable()
    assert body["message"].startswith(r"run x failed: \x1b[2J \u202eforged\ud800é")
    assert len(body["message"].encode()) <= 1_024
