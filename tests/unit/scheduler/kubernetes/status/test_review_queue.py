"""ReviewQueue: the order of uids."""

from financehub_scheduler.kubernetes.status.review_queue import ReviewQueue


def test_review_queue_take_returns_newest_changes_before_the_sweep() -> None:
    """The newest change is taken first, and the uids of the sweep come after all changes, in their order."""
    queue = ReviewQueue()
    queue.sweep(["s1", "s2"])
    queue.add(["a", "b"])
    queue.add(["c", "a"])
    assert [queue.take(2), queue.take(2), queue.take(2)] == [["a", "c"], ["b", "s1"], ["s2"]]


def test_review_queue_put_back_restores_the_order() -> None:
    """Uids that could not be reviewed are taken again first, in the same order."""
    queue = ReviewQueue()
    queue.sweep(["s1", "s2"])
    queue.add(["a", "b", "c"])
    taken = queue.take(4)
    queue.put_back(taken)
    assert queue.take(10) == [*taken, "s2"]
