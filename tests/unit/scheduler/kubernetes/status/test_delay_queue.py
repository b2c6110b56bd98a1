"""DelayQueue: order and times of uids."""

from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.kubernetes.status.delay_queue import DelayQueue

UIDS = st.sampled_from("abcd")
TIMES = st.floats(0, 100)


@given(st.lists(st.tuples(UIDS, TIMES)), TIMES)
def test_delay_queue_with_repeated_uid_uses_its_earliest_time(entries: list[tuple[str, float]], now: float) -> None:
    """Each uid is popped once, at its earliest time, in the order of these times."""
    queue, earliest = DelayQueue(), dict[str, float]()
    for uid, at in entries:
        queue.put(uid, at)
        earliest[uid] = min(at, earliest.get(uid, at))
    due = sorted((at, uid) for uid, at in earliest.items() if at <= now)
    assert queue.pop(now, 10) == [uid for _, uid in due]
    assert queue.pop(now, 10) == []
    assert len(queue) == len(earliest) - len(due)


@given(st.lists(TIMES, min_size=1, unique=True), TIMES)
def test_delay_queue_put_now_precedes_all_others(times: list[float], later: float) -> None:
    """Uids added by `put_now` are popped before those that are merely due, the newest first."""
    queue, end = DelayQueue(), max(times) + later
    queue.put("due", 0.0)
    for at in sorted(times):
        queue.put_now(str(at), at)
    urgent = [str(at) for at in sorted(times, reverse=True) if at > 0]
    assert queue.pop(end, len(urgent)) == urgent


def test_delay_queue_pop_with_limit_leaves_the_rest() -> None:
    """`pop` returns at most `limit` uids, and the next call returns the others."""
    queue = DelayQueue()
    for uid in "abc":
        queue.put(uid, 1.0)
    assert [queue.pop(1.0, 2), queue.pop(1.0, 2)] == [["a", "b"], ["c"]]
