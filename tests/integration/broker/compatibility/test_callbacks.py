"""Callbacks of success, failure and exhausted retries work as in dramatiq."""

from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker


@pytest.fixture
def calls(broker: RedisBroker) -> list[tuple[str, Any, Any]]:
    """The calls of the actor `note`, which is in another queue: message id, the message, and the second argument."""
    seen: list[tuple[str, Any, Any]] = []
    dramatiq.actor(
        lambda message, detail: seen.append((message["message_id"], message, detail)),
        actor_name="note",
        queue_name="notes",
    )
    return seen


def fail() -> None:
    """Fail."""
    raise ValueError("no price")


QUEUES = ("default", "notes")


@pytest.mark.parametrize("by", ["actor", "message"])
def test_success_callback_gets_the_message_and_its_result(broker: RedisBroker, working: Any, calls: list[Any], by: str):
    """An actor or a message may name the callback, which runs in the queue of its own actor."""
    options = {"on_success": "note", "on_failure": "note"}
    task = dramatiq.actor(lambda x: x + 1, actor_name="task", **(options if by == "actor" else {}))
    with working(broker, queues=QUEUES):
        message = task.send_with_options(args=(1,), **({} if by == "actor" else options))
    [(id, sent, result)] = calls
    assert (id, sent["actor_name"], sent["args"], result) == (message.message_id, "task", [1], 2)


def test_failure_callback_gets_the_error_of_each_attempt(broker: RedisBroker, working: Any, calls: list[Any]):
    """The callback is called after each failed attempt, with the class and text of the error."""
    task = dramatiq.actor(fail, max_retries=2, min_backoff=1, max_backoff=1, on_failure="note")
    with working(broker, queues=QUEUES):
        message = task.send()
    assert [(id, detail) for id, _, detail in calls] == [
        (message.message_id, {"type": "ValueError", "message": "no price"})
    ] * 3
    assert sorted(sent["options"]["retries"] for _, sent, _ in calls) == [1, 2, 3]


def test_retry_exhausted_callback_runs_once(broker: RedisBroker, working: Any, calls: list[Any]):
    """The callback is called after the last attempt, with the number of retries and the limit."""
    task = dramatiq.actor(fail, max_retries=2, min_backoff=1, max_backoff=1, on_retry_exhausted="note")
    with working(broker, queues=QUEUES):
        message = task.send()
    [(id, _, detail)] = calls
    assert (id, detail) == (message.message_id, {"retries": 2, "max_retries": 2})


def test_callback_may_be_the_actor_itself(broker: RedisBroker, working: Any):
    """An actor may name itself, for example to clean up."""
    seen: list[Any] = []

    def task(message: Any = None, error: Any = None) -> None:
        seen.append(error)
        if message is None:
            raise ValueError("first")

    own = dramatiq.actor(task, max_retries=0, on_failure="task", on_retry_exhausted="task")
    with working(broker, queues=QUEUES):
        own.send()
    assert sorted(map(str, seen)) == sorted(
        map(str, [None, {"type": "ValueError", "message": "first"}, {"retries": 0, "max_retries": 0}])
    )


def test_callback_has_its_own_callbacks_and_retries(broker: RedisBroker, working: Any, calls: list[Any]):
    """A callback is an ordinary message of its actor."""
    attempts: list[int] = []

    def unsure(message: Any, result: Any) -> int:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("again")
        return len(attempts)

    dramatiq.actor(unsure, max_retries=1, min_backoff=1, max_backoff=1, on_success="note")
    task = dramatiq.actor(lambda: 5, actor_name="task", on_success="unsure")
    with working(broker, queues=("default", "notes", "default", "notes")):
        task.send()
    [(_, sent, result)] = calls
    assert (sent["actor_name"], sent["args"][1], result) == ("unsure", 5, 2)


def test_callback_of_a_wrong_type_is_refused_when_it_is_sent(broker: RedisBroker):
    """A function is not the name of an actor, and a message with it cannot be encoded."""
    task = dramatiq.actor(lambda: 1, actor_name="task")
    with pytest.raises(TypeError):
        task.send_with_options(on_success=fail)
