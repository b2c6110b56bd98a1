"""Callbacks of messages whose size is just within the limit, on a real Redis."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import dramatiq
import pytest
import redis

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.client import connect
from financehub_shared.worker.build import build_broker
from support.redis_server import PATIENT_SECONDS
from support.waiting import eventually

LIMIT = 8_000


@pytest.mark.parametrize(("option", "calls"), [("on_success", 1), ("on_failure", 4), ("on_retry_exhausted", 1)])
def test_callback_of_a_message_at_the_size_limit_runs(
    option: str,
    calls: int,
    redis_url: str,
    redis_client: "redis.Redis",
    serving: Callable[..., AbstractContextManager[object]],
):
    """A callback carries the message and the error, and not the history of the failures."""
    settings = Settings(
        redis_url=redis_url, max_message_bytes=LIMIT, retry_min_seconds=0.01, retry_max_seconds=0.01, http_port=0
    )
    broker = build_broker(settings, client=connect(redis_url, retries=0, timeout=PATIENT_SECONDS))
    seen: list[tuple[dict[str, Any], Any]] = []

    def task(text: str) -> str:
        if option != "on_success":
            raise ValueError("\U0001f600" * 1_000)
        return "result"

    def note(message: dict[str, Any], outcome: Any) -> None:
        seen.append((message, outcome))

    dramatiq.actor(note, queue_name="notes", broker=broker)
    actor = dramatiq.actor(task, queue_name="q", broker=broker, max_retries=3)
    message = actor.message_with_options(args=("x",), **{option: "note"})
    text = "x" * (LIMIT - 300 - len(message.encode()))
    actor.send_with_options(args=(text,), **{option: "note"})
    with serving(broker):
        eventually(lambda: len(seen) == calls, within=PATIENT_SECONDS)
        eventually(lambda: broker.do_qsize("q") + broker.do_qsize("notes") == 0, within=PATIENT_SECONDS)
    assert len(seen) == calls
    for carried, _ in seen:
        assert carried["args"] == [text]
        assert not {"failures", "traceback"} & carried["options"].keys()
    letters = DeadLetterQueue(redis_client).find()
    assert [letter.queue for letter in letters] == ([] if option == "on_success" else ["q"])
    assert redis_client.hlen(keys.messages("notes")) == 0
