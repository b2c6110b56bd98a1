"""Tests of how the companion divides and reports what the watch delivers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.companion import parts, refusal_changes
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.link.intake import Intake
from financehub_scheduler.link.wire import Reported, encode
from support.schedules import schedule

ITEMS = [schedule(f"s{number}", f"00000000-0000-4000-8000-{number:012d}") for number in range(5)]


@pytest.mark.parametrize("count", range(6))
@pytest.mark.parametrize("complete", [False, True])
def test_parts_of_changes_contain_everything_once(count: int, complete: bool) -> None:
    """Deletions come first, every schedule once and in order, and only the last part says that it is complete."""
    since = {item.uid: float(number) for number, item in enumerate(ITEMS[:count])}
    changes = Changes(ITEMS[:count], ["gone"], {"refused": "why"}, since, keep_known_state=True, complete=complete)
    found = parts(changes, 2)
    assert len(found) == max(1, -(-count // 2))
    assert [item for part in found for item in part.upserts] == ITEMS[:count]
    assert (found[0].removed, found[0].deactivated) == (["gone"], {"refused": "why"})
    assert all(not part.removed and not part.deactivated for part in found[1:])
    assert {uid: at for part in found for uid, at in part.since.items()} == since
    assert all(part.since.keys() == {item.uid for item in part.upserts} for part in found)
    assert [part.complete for part in found] == [False] * (len(found) - 1) + [complete]
    assert all(part.keep_known_state for part in found)


def test_parts_of_long_schedules_stay_far_below_the_longest_frame() -> None:
    """A ScheduledTask can have 1.5 MB, and 25 of them in one frame would be refused, for each companion again."""
    text = "\N{LATIN SMALL LETTER E WITH ACUTE}" * 700_000
    long = [schedule(f"s{number}", task="own_task", queue="own", kwargs={"text": text}) for number in range(3)]
    found = parts(Changes(long), 25)
    assert [len(part.upserts) for part in found] == [1, 1, 1]
    assert len(encode(Reported(found[0]))) < 8 * 1024 * 1024


@given(st.lists(st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["why", "another reason"])), max_size=6))
def test_differences_of_refusals_add_up_to_the_refusals(states: list[dict[str, str]]) -> None:
    """However resources are refused and corrected, the engine process knows the same refusals as the companion."""
    intake, before = Intake(), dict[str, str]()
    for after in states:
        intake.reported(Reported(Changes(), *refusal_changes(before, after)))
        assert intake.refused == after
        before = after


def test_one_more_refusal_among_many_takes_a_short_message() -> None:
    """The size of a message depends on what has changed, and not on how many resources are refused."""
    before = {f"default/s{number}": "a problem" for number in range(10_000)}
    after = {**before, "default/new": "a problem"}
    assert len(encode(Reported(Changes(), *refusal_changes(before, after)))) < 1024
