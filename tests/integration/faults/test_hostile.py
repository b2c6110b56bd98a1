"""1,000 hostile messages, dead letters and keys among the messages of a working fleet."""

import time
from collections.abc import Callable

import pytest

from financehub_shared.broker.dead_letter_queue import DeadLetterFilter, DeadLetterQueue
from financehub_shared.redis import queue_keys
from integration.faults.conftest import Count, StartRig, assert_exactly_once
from support.fault_counts import QUEUE, TASK
from support.hostile_keys import add_foreign_members, add_foreign_names
from support.hostile_messages import hostile_entries
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer
from support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

_MESSAGES, _LETTERS = 700, 200


@pytest.mark.parametrize("server", SERVERS)
def test_hostile_entries_cost_no_message_and_no_due_time(
    server: str, redis_server: Callable[..., RedisServer], start_rig: StartRig, count: Count
) -> None:
    """Every hostile message becomes a dead letter, and everything else runs once."""
    running = redis_server(server=server)
    rig = start_rig(running.url)
    client = running.client()
    add_foreign_names(client)
    add_foreign_members(client)
    for number, letter in enumerate(hostile_entries(TASK, _LETTERS)):
        client.zadd(queue_keys.dead("letters"), {letter.id: time.time() * 1000 - number})
        client.hset(queue_keys.dead_messages("letters"), letter.id, letter.body)
    for entry in hostile_entries(TASK, _MESSAGES):
        client.hset(queue_keys.messages(QUEUE), entry.id, entry.body)
        client.rpush(queue_keys.ready(QUEUE), entry.id)

    letters = DeadLetterQueue(client)
    eventually(
        lambda: len(letters.find(DeadLetterFilter(queue=QUEUE), limit=None)) == _MESSAGES,
        "every hostile message is a dead letter",
        within=120,
    )
    rig.wait_for_runs()
    assert_exactly_once(count(rig, "1,000 hostile messages, dead letters and keys", server))
    assert len(letters.find(DeadLetterFilter(queue="letters"), limit=None)) == _LETTERS
