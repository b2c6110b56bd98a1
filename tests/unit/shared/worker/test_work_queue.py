"""The queue between the consumers and the threads of a worker, compared with the queue that it replaces."""

import contextlib
import queue
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.worker.work_queue import WorkQueue
from support.waiting import eventually

STEPS = st.lists(st.one_of(st.integers(0, 9), st.sampled_from(["get", "done"])), max_size=60)


def _apply(work: Any, step: int | str) -> object:
    """Apply a step, and return its result or its exception."""
    try:
        if isinstance(step, int):
            return work.put(step)
        return work.get_nowait() if step == "get" else work.task_done()
    except (queue.Empty, ValueError) as error:
        return type(error)


@given(STEPS)
def test_work_queue_with_any_steps_does_what_a_priority_queue_does(steps: list[int | str]) -> None:
    """Items leave in order, and both count unfinished items and refuse the same steps."""
    own, stock = WorkQueue(), queue.PriorityQueue[int]()
    for step in steps:
        assert _apply(own, step) == _apply(stock, step)
        assert (own.qsize(), own.empty(), own.unfinished_tasks) == (
            stock.qsize(),
            stock.empty(),
            stock.unfinished_tasks,
        )


def test_work_queue_gives_each_item_to_one_of_several_threads() -> None:
    """Four threads take 2,000 items that two threads add, each item once, and `join` returns when all are done."""
    work, taken = WorkQueue(), list[int]()

    def take() -> None:
        while (item := work.get(timeout=30)) is not None:
            taken.append(item)
            work.task_done()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()

    def add(first: int) -> None:
        for item in range(first, 2_000, 2):
            work.put(item)

    adders = [threading.Thread(target=add, args=(first,)) for first in range(2)]
    for thread in adders:
        thread.start()
    for thread in adders:
        thread.join()
    work.join()
    assert sorted(taken) == list(range(2_000))
    for _ in threads:
        eventually(work.empty)  # None cannot be compared with another item
        work.put(None)
    for thread in threads:
        thread.join()


def test_get_of_an_empty_work_queue_ends_after_its_timeout() -> None:
    """A worker thread looks at its other tasks when no message arrives in time."""
    with pytest.raises(queue.Empty):
        WorkQueue().get(timeout=0.01)


def test_threads_whose_items_others_take_still_end_their_waits() -> None:
    """A thread that is woken for an item and does not get it returns after its timeout, and its worker can stop.

    With `queue.SimpleQueue`, such a thread waited until the next item, if its timeout had passed when it ran again.
    """
    work: WorkQueue = WorkQueue()
    stop = threading.Event()

    def take() -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Empty):
                work.get(timeout=0.001)

    threads = [threading.Thread(target=take, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        work.put(1)
        with contextlib.suppress(queue.Empty):
            work.get_nowait()
        for _ in range(30_000):  # holds the interpreter for longer than the timeout
            pass
    stop.set()
    eventually(lambda: not any(thread.is_alive() for thread in threads), within=60)


def test_item_that_arrives_at_the_end_of_a_wait_is_not_lost() -> None:
    """Each item is returned once, although waits with short timeouts end all the time."""
    work, taken, stop = WorkQueue(), list[int](), threading.Event()

    def take() -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Empty):
                taken.append(work.get(timeout=0.0001))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2_000):
        work.put(number)
        if number % 20 == 0:
            eventually(lambda least=number - 20: len(taken) > least)
    eventually(lambda: len(taken) == 2_000)
    stop.set()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(2_000))
    assert work.empty()
