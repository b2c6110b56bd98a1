"""Tests that the companion's copy of the states follows those of the engine."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.state import ScheduleState, next_times
from financehub_scheduler.link.mirror import Mirror
from financehub_scheduler.link.relay import Relay
from financehub_scheduler.link.reports import Reports
from financehub_scheduler.link.wire import Happened, RunRow, decode, encode
from financehub_scheduler.redis.enqueuer import EnqueueOutcome, RunSubmission
from financehub_scheduler.redis.enqueuer import encode as encode_run
from financehub_shared.schedules import Pause
from support.schedules import schedule

NOW = 1_800_000_000.0
UIDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(4)]


class Heard(SchedulerListener):
    """Remembers the events of one companion, and the next runs that it shows."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self.shown: dict[str, float | None] = {}

    def schedule_registered(self, schedule: Schedule) -> None:
        self.events.append(("registered", schedule.uid))

    def schedule_removed(self, schedule: Schedule) -> None:
        self.events.append(("removed", schedule.uid))

    def run_answered(self, run: RunSubmission, outcome: EnqueueOutcome, at: float) -> None:
        self.events.append((run, outcome, at))

    def runs_taken_over(self, schedules: Sequence[Schedule]) -> None:
        self.events.extend(("taken over", each.uid) for each in schedules)

    def backfill_changed(self, uid: str, state: str, message: str) -> None:
        self.events.append((uid, state, message))

    def next_run_published(self, name: str, at: float | None) -> None:
        self.shown[name] = at


class Pair:
    """An engine process without an engine, and its companion."""

    def __init__(self) -> None:
        self.states: dict[str, ScheduleState] = {}
        self.reports = Reports(self.states)
        self.start_companion()

    def start_companion(self) -> None:
        """Start the first companion, or replace it."""
        self.mirror, self.heard = Mirror(), Heard()
        self.relay = Relay(self.mirror, self.heard, self.heard)
        self.reports.begin()

    def register(self, item: Schedule, *, is_delivered: bool = True) -> ScheduleState:
        """Register a schedule that the watch of this companion has delivered."""
        if is_delivered:
            self.mirror.compiled(item)
        state = ScheduleState(item, NOW, since=NOW - 60)
        state.next_run = encode_run(state.due_run(NOW + 60), NOW + 60)
        self.states[item.uid] = state
        self.reports.schedule_registered(item)
        return state

    def sync(self) -> None:
        """Send everything that is to be told."""
        while self.reports.waiting:
            message = decode(encode(self.reports.take(2)))
            assert isinstance(message, Happened)
            self.relay.happened(message)


def visible(state: ScheduleState) -> tuple[object, ...]:
    """Return everything of a state that statuses, metrics and health reports show."""
    # What is shown of a run that is not sent from here.
    times = (state.next_due, state.next_enqueue, next_times(state, 3))
    shown = replace(state, next_run=None, exhausted=False, is_outdated=False, created_at=0.0)
    return (*times, shown)


def test_mirror_has_every_field_that_is_shown() -> None:
    """A status that the companion builds is the one that the engine would build."""
    pair = Pair()
    state = pair.register(schedule(uid=UIDS[0], jitterSeconds=30))
    state.problem, state.refused, state.superseded_at = "a problem", "a refusal", 12.5
    state.paused, state.pending, state.successes = Pause(by="ops"), (NOW - 30,), (NOW + 5,)
    pair.sync()
    assert visible(pair.mirror.states[UIDS[0]]) == visible(state)
    assert pair.mirror.states[UIDS[0]].schedule is not None
    assert pair.heard.shown == {state.schedule.name: state.next_enqueue}


def test_state_waits_for_the_schedule_that_the_watch_delivers() -> None:
    """A companion that has just started gets all states, and completes each of them when the list is there."""
    pair = Pair()
    item = schedule(uid=UIDS[0])
    state = pair.register(item)
    pair.sync()
    pair.start_companion()
    pair.sync()
    assert pair.mirror.states == {}
    assert pair.mirror.compiled(item)
    assert visible(pair.mirror.states[item.uid]) == visible(state)


def test_state_that_waits_is_forgotten_with_its_schedule() -> None:
    """A schedule that is removed before the watch has delivered it does not come back with a late delivery."""
    pair = Pair()
    item = schedule(uid=UIDS[0])
    pair.register(item, is_delivered=False)
    pair.sync()
    del pair.states[item.uid]
    pair.reports.schedule_removed(item)
    pair.sync()
    assert not pair.mirror.compiled(item)
    assert pair.mirror.states == {}


def test_state_before_an_edit_keeps_its_schedule() -> None:
    """While Redis does not take an edit, the companion shows what the engine runs, and not what the watch delivers."""
    pair = Pair()
    before, after = schedule(uid=UIDS[0]), schedule(uid=UIDS[0], schedule="@every 2m")
    pair.register(before)
    pair.sync()
    pair.mirror.compiled(after)
    pair.reports.next_run_changed(UIDS[0])
    pair.sync()
    assert pair.mirror.states[UIDS[0]].schedule is before
    pair.register(after, is_delivered=False)
    pair.sync()
    assert pair.mirror.states[UIDS[0]].schedule is after


def test_run_of_a_schedule_that_is_removed_at_once_is_told_first() -> None:
    """The metrics of a last run are counted before its schedule is forgotten."""
    pair = Pair()
    item = schedule(uid=UIDS[0])
    pair.register(item)
    pair.sync()
    run = RunSubmission(item, "request", NOW, "fence", enqueue_at=NOW, refused="why")
    for _ in range(5):
        pair.reports.run_answered(run, EnqueueOutcome.ENQUEUED, NOW + 1)
    pair.reports.backfill_changed(item.uid, "started", "3 runs")
    del pair.states[item.uid]
    pair.reports.schedule_removed(item)
    pair.sync()
    answered = (run, EnqueueOutcome.ENQUEUED, NOW + 1)
    assert pair.heard.events[1:] == [*[answered] * 5, (item.uid, "started", "3 runs"), ("removed", item.uid)]
    assert pair.mirror.states == {}


def test_run_right_after_the_registration_is_told() -> None:
    """Runs that were missed before a start fire as soon as their schedule is registered, before its state is told."""
    pair = Pair()
    item = schedule(uid=UIDS[0])
    run = RunSubmission(item, "due", NOW, missed=7, enqueue_at=NOW)
    pair.register(item)
    for _ in range(3):
        pair.reports.run_answered(run, EnqueueOutcome.ENQUEUED, NOW + 1)
    pair.reports.runs_taken_over([item])
    pair.sync()
    answered = (run, EnqueueOutcome.ENQUEUED, NOW + 1)
    assert pair.heard.events == [*[answered] * 3, ("taken over", item.uid), ("registered", item.uid)]


def test_runs_without_a_companion_are_told_when_the_next_one_knows_the_schedule() -> None:
    """What happens while a companion starts and lists is counted late, and not lost."""
    pair = Pair()
    known, other = schedule("a", UIDS[0]), schedule("b", UIDS[1])
    pair.register(known)
    pair.register(other)
    pair.sync()
    run = RunSubmission(known, "due", NOW, missed=7, enqueue_at=NOW)
    pair.reports.run_answered(run, EnqueueOutcome.ENQUEUED, NOW + 1)
    pair.reports.runs_taken_over([known, other])
    pair.start_companion()
    pair.sync()
    assert pair.heard.events == []
    assert pair.mirror.compiled(known)
    pair.relay.state_changed(known.uid)
    answered = (run, EnqueueOutcome.ENQUEUED, NOW + 1)
    assert pair.heard.events == [answered, ("taken over", known.uid)]
    pair.relay.state_changed(known.uid)
    assert len(pair.heard.events) == 2


def test_backfill_without_a_companion_is_told_when_the_next_one_knows_the_schedule() -> None:
    """Its Event needs the resource, which the next companion has only when it has listed it."""
    pair = Pair()
    item, refused = schedule("a", UIDS[0]), schedule("b", UIDS[1])
    pair.register(item)
    pair.register(refused)
    pair.sync()
    pair.reports.backfill_changed(item.uid, "finished", "")
    pair.reports.backfill_changed(refused.uid, "finished", "")
    pair.start_companion()
    pair.sync()
    assert pair.heard.events == []
    assert pair.mirror.compiled(item)
    pair.relay.state_changed(item.uid)
    assert pair.heard.events == [(item.uid, "finished", "")]
    del pair.states[refused.uid]
    pair.reports.schedule_removed(refused)
    pair.sync()
    assert pair.heard.events[1:] == [(refused.uid, "finished", "")]
    pair.reports.backfill_changed(refused.uid, "refused", "why")
    pair.sync()
    assert pair.heard.events[2:] == [(refused.uid, "refused", "why")]
    assert pair.relay.held == 0


def test_runs_of_a_schedule_that_no_companion_will_know_are_forgotten() -> None:
    """The reply for a last run may arrive after the deletion, and nothing is kept of it."""
    pair = Pair()
    deleted, late = schedule("a", UIDS[0]), schedule("b", UIDS[1])
    pair.register(deleted, is_delivered=False)
    pair.sync()
    pair.reports.run_answered(RunSubmission(deleted, "due", NOW), EnqueueOutcome.ENQUEUED, NOW + 1)
    pair.sync()
    del pair.states[deleted.uid]
    pair.reports.schedule_removed(deleted)
    pair.reports.run_answered(RunSubmission(late, "due", NOW), EnqueueOutcome.ENQUEUED, NOW + 1)
    pair.sync()
    assert pair.relay.held == 0
    assert pair.heard.events == []


def test_number_of_runs_of_unknown_schedules_is_limited() -> None:
    """An API server that is away for days does not cost the memory of the pod."""
    mirror, heard = Mirror(), Heard()
    relay = Relay(mirror, heard, heard, max_held=3)
    rows = [RunRow(uid, "due", NOW, "", 0, NOW, "", "enqueued", NOW) for uid in UIDS for _ in range(2)]
    relay.happened(Happened(rows, (), (), ()))
    assert relay.held == 3


def test_run_that_another_scheduler_has_enqueued_is_not_told() -> None:
    """With several schedulers, each run is told by the one that has enqueued it."""
    pair = Pair()
    item = schedule(uid=UIDS[0])
    pair.register(item)
    pair.sync()
    pair.reports.run_answered(RunSubmission(item, "due", NOW), EnqueueOutcome.ALREADY, NOW)
    assert not pair.reports.waiting


def test_events_beyond_the_limit_are_dropped_and_counted() -> None:
    """A companion that hangs costs a limited amount of memory, and the newest events are kept."""
    reports = Reports({}, max_events=10)
    for number in range(15):
        reports.backfill_changed("uid", "started", str(number))
    assert reports.dropped == 5
    assert [event[2] for event in reports.take(100).events] == [str(number) for number in range(5, 15)]


STEP = st.tuples(st.sampled_from(["register", "change", "remove", "restart", "sync"]), st.sampled_from(UIDS))


@given(steps=st.lists(STEP, max_size=40))
def test_mirror_after_any_events_equals_the_states(steps: list[tuple[str, str]]) -> None:
    """However registrations, changes, removals and companions follow each other, the copy is right in the end."""
    pair = Pair()
    delivered: dict[str, Schedule] = {}
    for number, (action, uid) in enumerate(steps):
        if action == "register":
            delivered[uid] = schedule(uid=uid, schedule=f"@every {number + 1}m")
            pair.register(delivered[uid])
        elif action == "change" and uid in pair.states:
            pair.states[uid].high_water_mark += 60
            pair.reports.next_run_changed(uid)
        elif action == "remove" and uid in pair.states:
            pair.mirror.forget(uid)
            pair.reports.schedule_removed(pair.states.pop(uid).schedule)
        elif action == "restart":
            pair.start_companion()
            for item in delivered.values():
                pair.mirror.compiled(item)
        elif action == "sync":
            pair.sync()
    pair.sync()
    assert {uid: visible(state) for uid, state in pair.mirror.states.items()} == {
        uid: visible(state) for uid, state in pair.states.items()
    }
