"""Middleware of the user works as in dramatiq."""

import logging
from typing import Any

import dramatiq
import pytest
from dramatiq import middleware as stock
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import CurrentMessage, Middleware, SkipMessage, default_middleware


class Recorder(Middleware):
    """Records its hooks with the names of the actors."""

    def __init__(self, name: str = "", actor_options: tuple[str, ...] = ()) -> None:
        self.name = name
        self.seen: list[str] = []
        self.options = set(actor_options)

    @property
    def actor_options(self) -> set[str]:
        return self.options

    def __getattribute__(self, name: str) -> Any:
        if name.startswith(("before_", "after_")):
            seen = object.__getattribute__(self, "seen")

            def hook(*_: Any, **__: Any) -> None:
                seen.append(name)

            return hook
        return object.__getattribute__(self, name)


SENDER_HOOKS = ["before_enqueue", "after_enqueue"]
WORKER_HOOKS = ["before_process_message", "after_process_message", "before_ack", "after_ack"]


def test_hooks_of_a_message_are_called_in_order(broker: RedisBroker, working: Any):
    """A message has two hooks in its sender and four in its worker, and a worker also has its own.

    The sender and the worker are different threads: a worker may have the message before `after_enqueue` is called.
    """
    recorder = Recorder()
    broker.add_middleware(recorder)
    task = dramatiq.actor(lambda: None, actor_name="task")
    with working(broker):
        task.send()
    for hooks in (SENDER_HOOKS, WORKER_HOOKS):
        assert [name for name in recorder.seen if name in hooks] == hooks
    assert recorder.seen.index("before_enqueue") < recorder.seen.index("before_process_message")
    for name in ("declare_actor", "declare_queue", "worker_boot", "worker_shutdown"):
        assert {f"before_{name}", f"after_{name}"} <= set(recorder.seen)
    threads = {"after_worker_thread_boot", "before_worker_thread_shutdown", "after_consumer_thread_boot"}
    assert threads | {"after_declare_delay_queue", "before_consumer_thread_shutdown"} <= set(recorder.seen)


def test_hooks_of_other_outcomes_are_called(broker: RedisBroker, working: Any):
    """A dead letter has the hooks of a nack, and a delayed message the hook of a delay."""
    recorder = Recorder()
    broker.add_middleware(recorder)

    def fail() -> None:
        raise ValueError("broken")

    task = dramatiq.actor(fail, max_retries=0)
    with working(broker):
        task.send_with_options(delay=10)
    assert {"before_delay_message", "before_nack", "after_nack"} <= set(recorder.seen)


@pytest.mark.parametrize("failed", [False, True])
def test_skipped_message_does_not_run(broker: RedisBroker, working: Any, failed: bool):
    """A middleware may skip a message, which is then acknowledged or, if it was failed, dead-lettered."""

    class Skip(Middleware):
        def before_process_message(self, broker: Any, message: Any) -> None:
            if failed:
                message.fail()
            raise SkipMessage("not today")

    recorder, runs = Recorder(), list[int]()
    broker.add_middleware(Skip())
    broker.add_middleware(recorder)
    with working(broker):
        dramatiq.actor(lambda: runs.append(1), actor_name="task").send()
    assert runs == []
    assert {"after_skip_message", "after_nack" if failed else "after_ack"} <= set(recorder.seen)


def test_failing_hooks_are_logged_and_ignored(broker: RedisBroker, working: Any, caplog: pytest.LogCaptureFixture):
    """An error in a hook affects neither the run nor the other middleware."""

    class Broken(Middleware):
        def before_process_message(self, *_: Any, **__: Any) -> None:
            raise ValueError("before")

        def after_process_message(self, *_: Any, **__: Any) -> None:
            raise ValueError("after")

    recorder, runs = Recorder(), list[int]()
    broker.add_middleware(recorder)
    broker.add_middleware(Broken())
    with caplog.at_level(logging.CRITICAL), working(broker):
        dramatiq.actor(lambda: runs.append(1), actor_name="task").send()
    assert (runs, recorder.seen.count("after_process_message")) == ([1], 1)
    assert "Unexpected failure in before_process_message" in caplog.text
    assert "Unexpected failure in after_process_message" in caplog.text


@pytest.mark.parametrize("reference", default_middleware, ids=lambda one: one.__name__)
def test_middleware_is_added_next_to_each_default_middleware(broker: RedisBroker, reference: type[Middleware]):
    """Each class of dramatiq's default list is present, so users can add their middleware before and after it."""
    before, after = Recorder("before"), Recorder("after")
    broker.add_middleware(before, before=reference)
    broker.add_middleware(after, after=reference)
    order = [one for one in broker.middleware if one in (before, after) or isinstance(one, reference)]
    assert [order[0], order[-1]] == [before, after]
    assert isinstance(order[1], reference)


def test_middleware_next_to_a_missing_one_is_refused(broker: RedisBroker):
    """As in dramatiq, the position must exist and be unique, and a second instance of a class is a warning."""
    with pytest.raises(ValueError, match="not found"):
        broker.add_middleware(Recorder(), after=stock.GroupCallbacks)
    with pytest.raises(AssertionError, match="but not both"):
        broker.add_middleware(Recorder(), after=stock.Retries, before=stock.Retries)


def test_actor_option_must_belong_to_a_middleware(broker: RedisBroker):
    """A misspelled option is refused at the declaration, and every option of dramatiq's default list is known."""
    with pytest.raises(ValueError, match="max_retry"):
        dramatiq.actor(lambda: None, actor_name="task", max_retry=1)
    for one in default_middleware:
        assert one().actor_options <= broker.actor_options
    broker.add_middleware(Recorder(actor_options=("color",)))
    assert dramatiq.actor(lambda: None, actor_name="task", color="red").options["color"] == "red"


def test_current_message_is_known_in_the_task(broker: RedisBroker, working: Any):
    """A task can read its own message, with the options of its sender, and other threads do not see it."""
    seen: list[Any] = []
    task = dramatiq.actor(lambda: seen.append(CurrentMessage.get_current_message()), actor_name="task")
    with working(broker):
        sent = task.send_with_options(color="red")
    assert (seen[0].message_id, seen[0].options["color"]) == (sent.message_id, "red")
    assert CurrentMessage.get_current_message() is None
