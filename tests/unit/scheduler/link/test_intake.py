"""Tests of what the engine is told when one companion process follows another."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.link.intake import Intake
from financehub_scheduler.link.wire import Reported, Version, Watching, version_of
from support.schedules import schedule

UIDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(4)]
A, B, C = (schedule(f"s{number}", UIDS[number]) for number in range(3))
B_EDITED = schedule("s1", UIDS[1], schedule="@every 2m")


def report(intake: Intake, *upserts: Schedule, complete: bool = True, **fields: object) -> Changes:
    """Let the companion report changes without refused resources."""
    changes = Changes(upserts, keep_known_state=True, complete=complete, **fields)  # type: ignore[arg-type]
    return intake.reported(Reported(changes))


def uids(changes: Changes) -> list[str]:
    """Return the uids of the new and changed schedules."""
    return [each.uid for each in changes.upserts]


def test_first_report_is_told_as_it_is() -> None:
    """The first companion reports everything for the first time."""
    intake = Intake()
    changes = report(intake, A, B, since={UIDS[0]: 5.0}, deactivated={UIDS[2]: "why"})
    assert (uids(changes), changes.removed, changes.deactivated) == ([A.uid, B.uid], [], {UIDS[2]: "why"})
    assert (changes.since, changes.keep_known_state, changes.complete) == ({UIDS[0]: 5.0}, True, True)


def test_next_companion_with_the_same_list_changes_nothing() -> None:
    """The engine keeps its schedules, and nothing is registered again."""
    intake = Intake()
    report(intake, A, B, deactivated={UIDS[2]: "why"})
    intake.begin()
    changes = report(intake, A, B, deactivated={UIDS[2]: "why"})
    assert (uids(changes), changes.removed, changes.deactivated, changes.complete) == ([], [], {}, True)


def test_deletion_without_a_companion_is_told_with_the_first_complete_report() -> None:
    """A schedule that the next list does not have was deleted, and one that is listed later than others was not."""
    intake = Intake()
    report(intake, A, B, C)
    intake.begin()
    assert report(intake, A, complete=False).removed == []
    changes = report(intake, C)
    assert (uids(changes), changes.removed) == ([], [B.uid])
    assert report(intake).removed == []


def test_refused_schedule_that_was_deleted_without_a_companion_is_removed() -> None:
    """A deactivated schedule is known to Redis too, so its deletion must be noticed as well."""
    intake = Intake()
    report(intake, A, deactivated={B.uid: "why"})
    intake.begin()
    assert report(intake, A).removed == [B.uid]


def test_edit_without_a_companion_is_told() -> None:
    """The next list has another version of a schedule, and only this one is registered again."""
    intake = Intake()
    report(intake, A, B)
    intake.begin()
    changes = report(intake, A, B_EDITED, since={A.uid: 1.0, B.uid: 2.0})
    assert (uids(changes), changes.removed, changes.since) == ([B.uid], [], {B.uid: 2.0})


def test_companion_that_dies_before_its_list_is_complete_removes_nothing() -> None:
    """However many companions die early, only a complete list is proof of a deletion."""
    intake = Intake()
    report(intake, A, B, C)
    for _ in range(3):
        intake.begin()
        assert report(intake, A, complete=False).removed == []
    intake.begin()
    assert report(intake, A, B, C).removed == []


def test_observed_time_ends_with_the_companion() -> None:
    """Without a companion, nothing is confirmed, so no superseded schedule is registered again."""
    intake = Intake()
    intake.watching(Watching(12.0, absent=False))
    assert intake.observed_at == 12.0
    intake.begin()
    assert intake.observed_at == -math.inf


def test_observed_time_of_the_next_companion_counts_when_it_has_reported_what_the_engine_has() -> None:
    """A schedule of a namespace that it has not listed yet is not confirmed, so it is not registered again."""
    intake = Intake()
    intake.begin()
    report(intake, A, B, complete=False)
    intake.watching(Watching(12.0, absent=False))
    assert intake.observed_at == 12.0
    intake.begin()
    found = []
    for changes in (Changes([A], complete=False), Changes([B_EDITED], complete=False), Changes([C], complete=True)):
        intake.reported(Reported(changes))
        intake.watching(Watching(20.0, absent=False))
        found.append(intake.observed_at)
    assert found == [-math.inf, 20.0, 20.0]


def test_definition_that_was_deleted_without_a_companion_removes_all() -> None:
    """The next companion never gets a list, but knows that ScheduledTasks are not served any more."""
    intake = Intake()
    intake.reported(Reported(Changes([A], deactivated={B.uid: "why"}), {B.name: "why"}))
    intake.begin()
    assert intake.watching(Watching(-math.inf, absent=False)) is None
    changes = intake.watching(Watching(-math.inf, absent=True))
    assert changes is not None
    assert (sorted(changes.removed), changes.complete) == ([A.uid, B.uid], False)
    assert intake.refused == {}
    assert intake.watching(Watching(-math.inf, absent=True)) is None


def test_refused_resources_stay_known_until_the_next_list_is_complete() -> None:
    """The list of refused resources that Redis has does not become empty while a companion starts."""
    intake = Intake()
    intake.reported(Reported(Changes(), {"default/a": "why"}))
    intake.begin()
    intake.reported(Reported(Changes(complete=False)))
    assert intake.refused == {"default/a": "why"}
    intake.reported(Reported(Changes(), {"default/b": "why"}))
    assert intake.refused == {"default/b": "why"}


def test_refusals_are_joined_from_the_differences_of_one_companion() -> None:
    """A message has only what differs, and the mapping that somebody has already is never changed."""
    intake = Intake()
    intake.reported(Reported(Changes(), {"default/a": "why", "default/b": "why"}))
    earlier = intake.refused
    intake.reported(Reported(Changes(), {"default/b": "another reason", "default/c": "why"}, ["default/a"]))
    assert intake.refused == {"default/b": "another reason", "default/c": "why"}
    assert earlier == {"default/a": "why", "default/b": "why"}
    intake.reported(Reported(Changes()))
    assert intake.refused == {"default/b": "another reason", "default/c": "why"}


VERSIONS = ["@every 1m", "@every 2m", "@every 3m"]
#: The version of a resource that is refused.
REFUSED = len(VERSIONS)
COMPILED = {(uid, number): schedule("s", uid, schedule=text) for uid in UIDS for number, text in enumerate(VERSIONS)}


class World:
    """A cluster with resources, and what the engine was told about them.

    Args:
        is_split: Whether a companion reports its list in parts.
    """

    def __init__(self, *, is_split: bool) -> None:
        self._is_split = is_split
        self._intake = Intake()
        #: uid → number of its version.
        self.cluster: dict[str, int] = {}
        self.engine: dict[str, Version | str] = {}
        self.is_watched = False

    def change(self, uid: str, version: int | None) -> None:
        """Create, change or delete a resource. A companion reports it, if there is one."""
        self.cluster.pop(uid, None)
        if version is not None:
            self.cluster[uid] = version
        if self.is_watched:
            self._tell(self._change_of(uid, complete=True))

    def list_all(self) -> None:
        """Start a companion, which lists everything."""
        self._intake.begin()
        self.is_watched = True
        changes = [self._change_of(uid, complete=False) for uid in self.cluster]
        if self._is_split:
            for each in changes:
                self._tell(each)
            changes = []
        upserts = [item for each in changes for item in each.upserts]
        self._tell(Changes(upserts, deactivated={uid: "why" for each in changes for uid in each.deactivated}))

    def expected(self) -> dict[str, Version | str]:
        """Return what the engine should know."""
        return {
            uid: "why" if number == REFUSED else version_of(COMPILED[uid, number])
            for uid, number in self.cluster.items()
        }

    def _change_of(self, uid: str, *, complete: bool) -> Changes:
        number = self.cluster.get(uid)
        if number is None:
            return Changes(removed=[uid], complete=complete)
        if number == REFUSED:
            return Changes(deactivated={uid: "why"}, complete=complete)
        return Changes([COMPILED[uid, number]], complete=complete)

    def _tell(self, changes: Changes) -> None:
        told = self._intake.reported(Reported(changes))
        for uid in told.removed:
            del self.engine[uid]
        self.engine.update({each.uid: version_of(each) for each in told.upserts})
        self.engine.update(told.deactivated)


#: A companion that ends, one that starts, or a new version of a resource.
STEP = st.sampled_from(["end", "start"]) | st.tuples(
    st.sampled_from(UIDS), st.sampled_from([None, REFUSED, *range(REFUSED)])
)


@pytest.mark.parametrize("is_split", [False, True])
@given(steps=st.lists(STEP, max_size=30))
def test_engine_after_any_row_of_companions_knows_what_the_cluster_has(
    is_split: bool, steps: list[str | tuple[str, int | None]]
) -> None:
    """Whatever changes while a companion runs or not, a complete list brings the engine to the state of the cluster."""
    world = World(is_split=is_split)
    for step in steps:
        if isinstance(step, tuple):
            world.change(*step)
        elif step == "end":
            world.is_watched = False
        else:
            world.list_all()
        assert not world.is_watched or world.engine == world.expected()
    world.list_all()
    assert world.engine == world.expected()
