"""The queue of next due times."""

from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.core.due_queue import DueQueue

STEPS = st.lists(st.tuples(st.sampled_from("abcde"), st.one_of(st.none(), st.integers(0, 50))), max_size=40)


@given(STEPS, st.integers(0, 50), st.integers(1, 6))
def test_due_queue_after_any_changes_returns_current_entries_in_order(
    steps: list[tuple[str, int | None]], now: int, limit: int
):
    """After any sequence of puts and discards, the queue returns each current entry that is due, earliest first."""
    queue, model = DueQueue(), {}
    for uid, time in steps:
        if time is None:
            queue.discard(uid)
            model.pop(uid, None)
        else:
            queue.put(uid, time)
            model[uid] = time
    assert queue.next_time() == min(model.values(), default=None)
    popped = queue.pop_due(now, limit)
    due = {uid: time for uid, time in model.items() if time <= now}
    assert [time for time, _ in popped] == sorted(due.values())[:limit]
    assert all(due[uid] == time for time, uid in popped)
    assert len(queue) == len(model) - len(popped)
