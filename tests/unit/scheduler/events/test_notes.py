"""What is one Event, what is another, and what is none."""

import math
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from financehub_scheduler.kubernetes.events.correlator import (
    REMEMBERED,
    RESOURCE_BURST,
    RESOURCE_SECONDS,
    SAME_SECONDS,
    UPDATE_SECONDS,
    Note,
    Notes,
)
from financehub_scheduler.kubernetes.events.drafts import Happening
from financehub_scheduler.kubernetes.events.token_bucket import Bucket
from financehub_shared.core.clock import ManualClock
from support.events import sighted


def happening(message: str = "why", reason: str = "Skipped") -> Happening:
    """Something to note."""
    return Happening("Normal", reason, message)


@pytest.fixture
def clock() -> ManualClock:
    """Time in the test's hand."""
    return ManualClock()


@pytest.fixture
def notes(clock: ManualClock) -> Notes:
    """Notes on more resources than are remembered."""
    uids = ["lasting", "told", *map(str, range(REMEMBERED + 1))]
    return Notes(clock, {uid: sighted(uid) for uid in uids})


def due(notes: Notes) -> list[Note]:
    """What the API server is to be told."""
    return [note for _, note in notes.due()]


def tell(notes: Notes) -> None:
    """Tell it."""
    for note in due(notes):
        notes.told(note, note.count)


@pytest.mark.parametrize(
    ("first", "then", "events"),
    [
        (happening("queue q holds 51"), happening("queue q holds 7"), 1),
        (happening(f"run {uuid4()} was lost"), happening(f"run {uuid4()} was lost"), 1),
        (happening("the last run is queued"), happening("queue q holds 51"), 2),
        (happening("boom"), happening("bang"), 2),
        (happening(reason="Skipped"), happening(reason="Missed"), 2),
    ],
)
def test_the_same_is_one_event(notes: Notes, first: Happening, then: Happening, events: int) -> None:
    """The same reason and words are one Event, whatever the numbers and ids in them; other words are another."""
    notes.add("1", first)
    notes.add("1", then)
    assert len(due(notes)) == events
    assert sum(note.count for note in due(notes)) == 2
    assert due(notes)[-1].happening == then


def test_resources_do_not_share_events(notes: Notes) -> None:
    """The same of two resources is two Events."""
    notes.add("1", happening())
    notes.add("2", happening())
    assert [note.count for note in due(notes)] == [1, 1]


@pytest.mark.parametrize(
    ("told", "after", "counts"),
    [
        (True, SAME_SECONDS - 1, [2]),
        (True, SAME_SECONDS, [1]),
        # nobody has heard of it yet
        (False, SAME_SECONDS, [2]),
        (False, 10 * SAME_SECONDS, [2]),
    ],
)
def test_after_ten_minutes_it_is_another(
    notes: Notes, clock: ManualClock, *, told: bool, after: float, counts: list[int]
) -> None:
    """The same again after ten minutes is a new Event, unless the API server has yet to hear of the first."""
    notes.add("1", happening())
    if told:
        tell(notes)
    clock.advance(after)
    notes.add("1", happening())
    assert [note.count for note in due(notes)] == counts


def test_an_event_is_brought_up_to_date_every_30_s(notes: Notes, clock: ManualClock) -> None:
    """What happens every second is told at once and then every 30 s, with its latest count and times."""
    start, told = clock.now(), []
    for second in range(61):
        notes.add("1", happening())
        for note in due(notes):
            told.append((second, note.count, note.first - start, note.last - start))
            notes.told(note, note.count)
        clock.advance(1)
    assert told == [(0, 1, 0, 0), (30, 31, 0, 30), (60, 61, 0, 60)]


def test_what_happens_on_the_way_is_told_the_next_time(notes: Notes, clock: ManualClock) -> None:
    """A count that rises while the API server is being told is told once more, 30 s later."""
    notes.add("1", happening())
    (note,) = due(notes)
    notes.add("1", happening())
    notes.told(note, 1)
    assert due(notes) == []
    clock.advance(UPDATE_SECONDS)
    assert [note.count for note in due(notes)] == [2]


def test_a_resource_has_few_events(notes: Notes, clock: ManualClock) -> None:
    """A resource gets a burst of Events and then one in five minutes; another one is not affected."""
    for letter in "abcdefghijklmnop":
        notes.add("1", happening(letter))
    assert len(due(notes)) == RESOURCE_BURST
    assert notes.take_dropped() == 16 - RESOURCE_BURST
    notes.add("2", happening())
    assert len(due(notes)) == RESOURCE_BURST + 1
    clock.advance(RESOURCE_SECONDS)
    notes.add("1", happening("y"))
    notes.add("1", happening("z"))
    assert len(due(notes)) == RESOURCE_BURST + 2
    assert notes.take_dropped() == 1


def test_the_newest_are_kept(notes: Notes, clock: ManualClock) -> None:
    """Of more than are remembered, those noted last are kept; only what nobody has heard of counts as dropped."""
    notes.add("lasting", happening())
    notes.add("told", happening())
    tell(notes)
    for number in range(REMEMBERED + 1):
        notes.add(str(number), happening())
        notes.add("lasting", happening())
    assert notes.take_dropped() == 2
    clock.advance(UPDATE_SECONDS)
    found = {note.resource.uid: note for note in due(notes)}
    assert set(found) == {"lasting", *(str(number) for number in range(2, REMEMBERED + 1))}
    assert found["lasting"].count == REMEMBERED + 2


def test_the_longest_due_is_told_first(notes: Notes, clock: ManualClock) -> None:
    """What goes on happening neither overtakes nor waits for ever: the longest due is first."""
    for uid in "123":
        notes.add(uid, happening())
        clock.advance(1)
    notes.add("1", happening())
    assert [note.resource.uid for note in due(notes)] == ["1", "2", "3"]


def test_of_the_unknown_nothing_is_noted(notes: Notes) -> None:
    """What happens to a resource that is gone is neither noted nor counted as dropped."""
    notes.add("gone", happening())
    assert due(notes) == []
    assert notes.take_dropped() == 0


@given(st.integers(1, 253), st.integers(0, 252), st.sampled_from("-."))
@example(253, 235, "-")
@example(253, 235, ".")
def test_every_name_makes_a_name(length: int, at: int, mark: str) -> None:
    """Whatever a ScheduledTask is called, its Events have valid names, no two the same, that begin with its own."""
    letters = ["a"] * length
    if 0 < at < length - 1:
        letters[at] = mark
    resource = sighted(name="".join(letters))
    one, other = (Note(resource, happening(), 0, 0, 0, math.inf).name for _ in range(2))
    assert one != other
    assert len(one) <= 253
    assert all(label.strip("-") == label != "" for label in one.split("."))
    assert one.startswith(resource.name[:235])


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(1, 10), st.floats(0.1, 50))
def test_a_bucket_lets_pass_its_size_and_what_came_back(waits: list[float], size: int, seconds: float) -> None:
    """In no span of time are more tokens taken than the bucket's size and what came back meanwhile."""
    now, bucket, taken = 0.0, Bucket(size, seconds, 0.0), []
    for wait in waits:
        now += wait
        if bucket.take(now):
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= size + (taken[last] - taken[first]) / seconds + 1e-6
