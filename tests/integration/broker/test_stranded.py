"""Messages that neither wait nor are held, in a queue whose keys another program has written too."""

import pytest
import redis

from financehub_shared.broker.janitor import Janitor
from financehub_shared.broker.queues import queue_of
from financehub_shared.redis import queue_keys as keys


@pytest.fixture
def janitor(redis_client: redis.Redis) -> Janitor:
    return Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7)


def test_stranded_messages_return_although_another_key_has_a_wrong_type(janitor: Janitor, redis_client: redis.Redis):
    """A key in the place of a worker's messages is left out, and the messages of the other workers stay with them."""
    redis_client.hset(keys.messages("q"), mapping={"stranded": "{}", "held": "{}"})
    redis_client.sadd(keys.acks("worker", "q"), "held")
    redis_client.set(keys.acks("foreign", "q"), "another program's value")
    for _ in range(2):
        janitor.run()
    assert redis_client.lrange(keys.ready("q"), 0, -1) == [b"stranded"]


def test_stranded_messages_beyond_a_limit_return_in_later_rounds(janitor: Janitor, redis_client: redis.Redis):
    """A hash of another program can have any number of fields, and no reply contains them all."""
    redis_client.hset(keys.messages("q"), mapping={str(number): "{}" for number in range(2_500)})
    sizes = []
    for _ in range(5):
        janitor.run()
        assert sum(map(len, janitor._stranded.values())) <= 1_000
        sizes.append(redis_client.llen(keys.ready("q")))
    assert sizes == [0, 1_000, 2_000, 2_500, 2_500]


@pytest.mark.parametrize("name", ["dramatiq:q.msgs\n", "dramatiq:q.XQ\n"])
def test_key_with_a_newline_at_its_end_belongs_to_no_queue(name: str):
    """The name is not that of a key of the queue."""
    assert queue_of(name) is None


def test_messages_of_a_queue_whose_name_ends_in_a_newline_are_not_those_of_another(
    janitor: Janitor, redis_client: redis.Redis
):
    """A key whose name differs only by a newline at the end holds no messages of the queue."""
    name = keys.acks("worker", "q") + "\n"
    redis_client.sadd(name, "1")
    redis_client.hset(keys.messages("q"), "1", "{}")
    match = keys.ACKS_KEY.match(name)
    assert match is not None
    assert match["queue"] == "q\n"
    for _ in range(2):
        janitor.run()
    assert redis_client.lrange(keys.ready("q"), 0, -1) == [b"1"]


def test_janitor_scans_the_keys_once_per_round(janitor: Janitor, redis_client: redis.Redis):
    """A scan visits every key of Redis."""
    redis_client.config_resetstat()
    janitor.run()
    assert redis_client.info("commandstats")["cmdstat_scan"]["calls"] == 1
