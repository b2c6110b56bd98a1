"""What records and messages say about callbacks, pipelines and their failures, with all observers of a worker."""

import dramatiq

from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.monitor.run_state import RunState
from support.observed import ObservedWorker


def test_run_whose_follow_up_failed_is_recorded_with_the_reason(redis_url: str):
    """The record and the counters say that the run was dead-lettered, and why, although the task succeeded (F20)."""
    worker = ObservedWorker(redis_url)

    def task() -> set[int]:
        return {1}

    first, after = worker.actor(task), worker.actor(lambda *_: None, actor_name="after")
    pipe = dramatiq.pipeline([first.message(), after.message()], broker=worker.broker).run()
    worker.drain()
    run = worker.monitor.get_run(pipe.messages[0].message_id)
    assert run is not None
    assert run.state is RunState.DEAD_LETTERED
    assert "Pipelines did not enqueue the follow-ups: TypeError: Object of type set is not JSON" in run.error
    assert worker.monitor.get_run(pipe.messages[1].message_id) is None


def test_messages_that_follow_a_run_share_its_correlation_id(redis_url: str):
    """The log lines and records of a pipeline and its callbacks can be found by one id, even across tiers."""
    worker = ObservedWorker(redis_url)

    def task() -> TaskSummary:
        return TaskSummary(1, 1)

    first, after = worker.actor(task), worker.actor(lambda *_: None, actor_name="after")
    message = first.message_with_options(on_success="cleanup_old_cache_task")
    pipe = dramatiq.pipeline([message, after.message()], broker=worker.broker).run()
    worker.drain()
    [callback] = map(dramatiq.Message.decode, worker.client.hvals("dramatiq:low.msgs"))
    runs = [worker.monitor.get_run(one.message_id) for one in pipe.messages]
    assert [run.state for run in runs if run] == [RunState.SUCCEEDED] * 2
    ids = {run.correlation_id for run in runs if run} | {callback.options["correlation_id"]}
    assert ids == {message.message_id}
