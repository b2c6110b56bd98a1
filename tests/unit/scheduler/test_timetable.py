"""The heap of next due times."""

from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.core.due_queue import DueQueue

STEPS = st.lists(st.tuples(st.sampled_from("abcde"), st.one_of(st.none(), st.integers(0, 50))), max_size=40)


@given(STEPS, st.integers(0, 50), st.integers(1, 6))
def test_it_is_a_sorted_dictionary(steps: list[tuple[str, int | None]], now: int, limit: int):
    """Whatever was put, replaced and discarded, what comes out is each current entry that is due, earliest first."""
    timetable, model = DueQueue(), {}
    for uid, time in steps:
        if time is None:
            timetable.discard(uid)
            model.pop(uid, None)
        else:
            timetable.put(uid, time)
            model[uid] = time
    assert timetable.next_time() == min(model.values(), default=None)
    found = timetable.pop_due(now, limit)
    due = {uid: time for uid, time in model.items() if time <= now}
    assert [time for time, _ in found] == sorted(due.values())[:limit]
    assert all(due[uid] == time for time, uid in found)
    assert len(timetable) == len(model) - len(found)
