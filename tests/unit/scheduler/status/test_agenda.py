"""When a status is looked at."""

from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.kubernetes.status.delay_queue import Agenda

UIDS = st.sampled_from("abcd")
TIMES = st.floats(0, 100)


@given(st.lists(st.tuples(UIDS, TIMES)), TIMES)
def test_the_earliest_wish_counts(wishes: list[tuple[str, float]], now: float) -> None:
    """Each uid comes out once, at the earliest time it was wished for, in the order of these times."""
    agenda, earliest = Agenda(), dict[str, float]()
    for uid, at in wishes:
        agenda.put(uid, at)
        earliest[uid] = min(at, earliest.get(uid, at))
    due = sorted((at, uid) for uid, at in earliest.items() if at <= now)
    assert agenda.pop(now, 10) == [uid for _, uid in due]
    assert agenda.pop(now, 10) == []
    assert len(agenda) == len(earliest) - len(due)


@given(st.lists(TIMES, min_size=1, unique=True), TIMES)
def test_what_is_urgent_goes_first(times: list[float], later: float) -> None:
    """Of those that are urgent the newest goes first, and all of them before what is merely due."""
    agenda, end = Agenda(), max(times) + later
    agenda.put("patient", 0.0)
    for at in sorted(times):
        agenda.urge(str(at), at)
    urgent = [str(at) for at in sorted(times, reverse=True) if at > 0]
    assert agenda.pop(end, len(urgent)) == urgent


def test_no_more_than_asked_for() -> None:
    """What is left stays for the next time."""
    agenda = Agenda()
    for uid in "abc":
        agenda.put(uid, 1.0)
    assert [agenda.pop(1.0, 2), agenda.pop(1.0, 2)] == [["a", "b"], ["c"]]
