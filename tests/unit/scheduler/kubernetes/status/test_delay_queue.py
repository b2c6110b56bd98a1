"""DelayQueue: the order and times of uids."""

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


@given(st.lists(UIDS), st.lists(st.tuples(UIDS, TIMES)))
def test_delay_queue_put_now_precedes_all_others(urgent: list[str], due: list[tuple[str, float]]) -> None:
    """Uids added by `put_now` are popped before those that are only due, newest first, each of them once."""
    queue = DelayQueue()
    for uid, at in due[::2]:
        queue.put(uid, at)
    for uid in urgent:
        queue.put_now(uid)
    for uid, at in due[1::2]:
        queue.put(uid, at)
    newest_first = list(dict.fromkeys(reversed(urgent)))
    assert len(queue) == len({*urgent, *(uid for uid, _ in due)})
    assert queue.pop(0.0, len(newest_first)) == newest_first
    assert set(queue.pop(100.0, 10)) == {uid for uid, _ in due} - set(urgent)
    assert len(queue) == 0


def test_delay_queue_pop_with_limit_leaves_the_rest() -> None:
    """`pop` returns at most `limit` uids, and the next call returns the others."""
    queue = DelayQueue()
    for uid in "abc":
        queue.put(uid, 1.0)
    assert [queue.pop(1.0, 2), queue.pop(1.0, 2)] == [["a", "b"], ["c"]]
