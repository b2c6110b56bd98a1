"""Pipelines and groups work as in dramatiq."""

from typing import Any

import dramatiq
import pytest
from dramatiq import group, pipeline
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.results import ResultMissing, Results, ResultTimeout


@pytest.fixture
def add(broker: RedisBroker, store: Any) -> "dramatiq.Actor[..., int]":
    """An actor that adds its arguments and stores the sum."""
    broker.add_middleware(Results(backend=store, store_results=True))
    return dramatiq.actor(lambda *numbers: sum(numbers), actor_name="add")


def test_pipeline_passes_each_result_to_the_next_message(broker: RedisBroker, add: Any, working: Any):
    """The result of each message is an argument of the next, and pipelines can be joined."""
    pipe = add.message(1, 2) | add.message(3) | add.message(4)
    longer = pipeline([pipe, add.message(10)])
    assert len(longer) == 4
    with working(broker):
        assert longer.run().get_result(block=True, timeout=60_000) == 20
        assert list(longer.get_results(block=True, timeout=60_000)) == [3, 6, 10, 20]
    assert (longer.completed, longer.completed_count) == (True, 4)


def test_pipeline_without_a_worker_is_incomplete(broker: RedisBroker, add: Any):
    """Nothing is completed, and a read is missing or times out."""
    pipe = (add.message(1) | add.message(2)).run()
    assert (pipe.completed, pipe.completed_count) == (False, 0)
    with pytest.raises(ResultMissing):
        pipe.get_result()
    with pytest.raises(ResultTimeout):
        pipe.get_result(block=True, timeout=100)


def test_pipe_ignore_drops_the_result(broker: RedisBroker, add: Any, working: Any):
    """A message with `pipe_ignore` does not get the previous result, but the one after it does."""
    pipe = add.message(1, 2) | add.message_with_options(args=(5,), pipe_ignore=True) | add.message(1)
    with working(broker):
        assert pipe.run().get_result(block=True, timeout=60_000) == 6


def test_pipeline_crosses_queues(broker: RedisBroker, add: Any, working: Any):
    """Each message runs in the queue of its own actor."""
    dramatiq.actor(lambda x: x * 2, actor_name="double", queue_name="other")
    double = broker.get_actor("double")
    with working(broker, queues=("default", "other")):
        assert (add.message(1, 2) | double.message() | add.message(1)).run().get_result(block=True, timeout=60_000) == 7


def test_pipeline_ends_at_a_failed_message(broker: RedisBroker, add: Any, working: Any):
    """The messages after a message that fails for good are not enqueued."""

    def fail(*_: int) -> None:
        raise ValueError("broken")

    broken = dramatiq.actor(fail, max_retries=0)
    runs: list[int] = []
    last = dramatiq.actor(lambda *_: runs.append(1), actor_name="last")
    with working(broker):
        (add.message(1) | broken.message() | last.message()).run()
    assert runs == []


def test_pipeline_is_delayed_by_its_own_and_its_messages_delay(broker: RedisBroker, add: Any, working: Any):
    """A delay of the pipeline delays the first message, and a delay of a later message delays that one."""
    times: list[int] = []
    note = dramatiq.actor(lambda *_: times.append(dramatiq.common.current_millis()), actor_name="note")
    start = dramatiq.common.current_millis()
    with working(broker):
        (note.message() | note.message_with_options(delay=200)).run(delay=200)
    # each time is rounded to a millisecond
    assert times[0] - start >= 195
    assert times[1] - times[0] >= 195


def test_group_runs_messages_pipelines_and_groups(broker: RedisBroker, add: Any, working: Any):
    """A group waits for all of its children and returns their results in order."""
    inner = group([add.message(1), add.message(2)])
    outer = group([add.message(3, 4), add.message(1, 1) | add.message(1), inner])
    assert len(outer) == 3
    with working(broker):
        outer.run()
        outer.wait(timeout=30_000)
        assert list(outer.get_results(block=True, timeout=60_000)) == [7, 3, [1, 2]]
    assert (outer.completed, outer.completed_count) == (True, 3)


def test_group_without_a_worker_is_incomplete(broker: RedisBroker, add: Any):
    """Nothing is completed, and waiting times out."""
    waiting = group([add.message(1), add.message(2)]).run()
    assert (waiting.completed, waiting.completed_count) == (False, 0)
    with pytest.raises(ResultTimeout):
        waiting.wait(timeout=100)


def test_group_callback_runs_once_after_all_messages(broker: RedisBroker, rate_limits: Any, add: Any, working: Any):
    """Completion callbacks run when the last message or pipeline of the group has ended, and a rerun has its own."""
    broker.add_middleware(GroupCallbacks(rate_limits))
    ended: list[str] = []
    note = dramatiq.actor(ended.append, actor_name="note", queue_name="notes")
    jobs = group([note.message("job"), add.message(1) | note.message_with_options(args=("pipe",), pipe_ignore=True)])
    jobs.add_completion_callback(note.message("all"))
    for runs in (1, 2):
        with working(broker, queues=("default", "notes", "default", "notes")):
            jobs.run()
        assert sorted(ended) == sorted(["all", "job", "pipe"] * runs)
        assert ended[-1] == "all"


def test_group_callback_without_its_middleware_is_refused(broker: RedisBroker, add: Any):
    """As in dramatiq, the group is refused before anything is enqueued."""
    jobs = group([add.message(1)])
    jobs.add_completion_callback(add.message(2))
    with pytest.raises(RuntimeError, match="GroupCallbacks middleware not found"):
        jobs.run()
    assert broker.do_qsize("default") == 0
