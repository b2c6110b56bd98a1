"""Keys that are set aside while many processes use them."""

import threading

import redis

from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.clock import SystemClock
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.client import connect
from financehub_shared.redis.conditions import find_problems
from financehub_shared.redis.key_types import ASIDE, ASIDE_KEPT, ASIDE_NAMES, repaired, set_aside_wrong_keys
from financehub_shared.redis.server_facts import read_facts
from support.hostile_keys import replace_key

ROUNDS = 40
WRITERS = 6


def test_writers_that_find_the_same_wrong_key_lose_no_message(redis_url: str, redis_client: "redis.Redis"):
    """Many writers set a key aside at once. None of them sets aside what a faster one has written again."""
    for number in range(ROUNDS):
        redis_client.flushall()
        for key in (queue_keys.messages("q"), queue_keys.ready("q")):
            replace_key(redis_client, key, "string")
        barrier = threading.Barrier(WRITERS)

        def write(writer: int, barrier: threading.Barrier = barrier) -> None:
            broker = FinanceHubBroker(client=connect(redis_url, retries=0), middleware=[])
            barrier.wait()
            broker.do_enqueue("q", f"m{writer}", b"{}")
            broker.close()

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wanted = {f"m{writer}".encode() for writer in range(WRITERS)}
        assert set(redis_client.hkeys(queue_keys.messages("q"))) == wanted, f"round {number}"
        assert set(redis_client.lrange(queue_keys.ready("q"), 0, -1)) == wanted
        assert redis_client.get(ASIDE + queue_keys.messages("q")) == b"another program's value"


def test_key_that_is_replaced_again_keeps_the_earlier_value(redis_client: "redis.Redis"):
    """What was set aside first stays, and the number of values that are kept is bounded."""
    types = {keys.HIGH_WATER_MARKS: "hash"}
    for number in range(ASIDE_KEPT + 5):
        redis_client.set(keys.HIGH_WATER_MARKS, f"value {number}")
        assert set_aside_wrong_keys(redis_client, types)
    assert not set_aside_wrong_keys(redis_client, types)
    assert redis_client.get(ASIDE + keys.HIGH_WATER_MARKS) == b"value 0"
    assert redis_client.get(f"{ASIDE}{keys.HIGH_WATER_MARKS}:2") == b"value 1"
    assert redis_client.get(f"{ASIDE}{keys.HIGH_WATER_MARKS}:{ASIDE_KEPT}") == f"value {ASIDE_KEPT + 4}".encode()
    assert len(redis_client.keys(f"{ASIDE}*")) == ASIDE_KEPT


def test_value_that_was_set_aside_can_be_restored(redis_client: "redis.Redis"):
    """The documented command puts a value back that belongs under another name."""
    redis_client.zadd(queue_keys.dead("q"), {"letter": 1})
    redis_client.rename(queue_keys.dead("q"), queue_keys.ready("q"))
    types = {queue_keys.ready("q"): "list"}
    repaired(redis_client, lambda: types, lambda: redis_client.rpush(queue_keys.ready("q"), "id"))
    redis_client.rename(ASIDE + queue_keys.ready("q"), queue_keys.dead("q"))
    assert redis_client.zrange(queue_keys.dead("q"), 0, -1) == [b"letter"]


def test_keys_that_were_set_aside_are_counted_until_they_are_deleted(redis_client: "redis.Redis"):
    """The health report has a problem with their number, and nobody has to find the line in a log."""

    def texts() -> list[str]:
        problems = find_problems(read_facts("queues", redis_client, SystemClock()))
        return [problem.text for problem in problems if problem.code == "set-aside"]

    assert texts() == []
    types = {keys.HIGH_WATER_MARKS: "hash", keys.SCHEDULES: "zset"}
    for key in types:
        redis_client.set(key, "another program's value")
        set_aside_wrong_keys(redis_client, types)
    assert "contains 2 keys of other programs" in texts()[0]
    redis_client.delete(ASIDE + keys.SCHEDULES)
    assert "contains a key of another program" in texts()[0]
    redis_client.rename(ASIDE + keys.HIGH_WATER_MARKS, "elsewhere")
    assert texts() == []
    assert not redis_client.exists(ASIDE_NAMES)


def test_set_of_names_with_another_type_changes_nothing(redis_client: "redis.Redis"):
    """Keys are set aside and facts are read even if another program has replaced this key too."""
    redis_client.set(ASIDE_NAMES, "another program's value")
    redis_client.set(keys.SCHEDULES, "another program's value")
    assert set_aside_wrong_keys(redis_client, {keys.SCHEDULES: "zset"})
    assert read_facts("queues", redis_client, SystemClock()).set_aside == 0
