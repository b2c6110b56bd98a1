"""Messages that neither wait nor are held, in a queue whose keys another program has written too."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from financehub_shared.broker import stranded
from financehub_shared.broker.janitor import Janitor
from financehub_shared.broker.queues import queue_of
from financehub_shared.broker.stranded import WAITING_BATCH, StrandedMessages
from financehub_shared.redis import queue_keys as keys


@pytest.fixture
def janitor(redis_client: redis.Redis) -> Janitor:
    return Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=7)


def restored(id: str) -> bytes:
    """Return the id that a stranded message gets."""
    return hashlib.sha1(id.encode(), usedforsecurity=False).hexdigest().encode()


def test_stranded_messages_return_although_another_key_has_a_wrong_type(janitor: Janitor, redis_client: redis.Redis):
    """A key in the place of a worker's messages is left out, and the messages of the other workers stay with them."""
    redis_client.hset(keys.messages("q"), mapping={"stranded": "{}", "held": "{}"})
    redis_client.sadd(keys.acks("worker", "q"), "held")
    redis_client.set(keys.acks("foreign", "q"), "another program's value")
    for _ in range(2):
        janitor.run()
    assert redis_client.lrange(keys.ready("q"), 0, -1) == [restored("stranded")]
    assert set(redis_client.hkeys(keys.messages("q"))) == {restored("stranded"), b"held"}


def test_stranded_messages_beyond_a_limit_return_in_later_rounds(janitor: Janitor, redis_client: redis.Redis):
    """A hash of another program can have any number of fields, and no reply contains them all."""
    redis_client.hset(keys.messages("q"), mapping={str(number): "{}" for number in range(2_500)})
    sizes = []
    for _ in range(5):
        janitor.run()
        assert sum(map(len, janitor._stranded.found.values())) <= 1_000
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
    assert redis_client.lrange(keys.ready("q"), 0, -1) == [restored("1")]


def test_janitor_scans_the_keys_once_per_round(janitor: Janitor, redis_client: redis.Redis):
    """A scan visits every key of Redis."""
    redis_client.config_resetstat()
    janitor.run()
    assert redis_client.info("commandstats")["cmdstat_scan"]["calls"] == 1


#: Appends waiting messages. KEYS: ready, messages. ARGV: first number, number of messages.
_FILL = """
for number = ARGV[1], ARGV[1] + ARGV[2] - 1 do
  local id = string.format('message-%d', number)
  redis.call('rpush', KEYS[1], id)
  redis.call('hset', KEYS[2], id, '{}')
end
"""


class _Counting(redis.Redis):
    """A client that notes the number of elements of each reply."""

    sizes: list[int]

    def execute_command(self, *args: Any, **options: Any) -> Any:
        reply = super().execute_command(*args, **options)
        if isinstance(reply, list):
            self.sizes.append(len(reply))
        return reply


@pytest.fixture
def counting(redis_url: str, redis_client: redis.Redis) -> Iterator[_Counting]:
    client = _Counting.from_url(redis_url, socket_timeout=60)
    client.sizes = []
    yield client
    client.close()


def test_no_call_reads_more_than_a_part_of_a_million_waiting_messages(
    counting: _Counting, monkeypatch: pytest.MonkeyPatch
):
    """With 1,000,000 waiting messages, stranded ones return, and no call handles more than 5,000 ids. Other clients of
    Redis therefore wait for milliseconds only.
    """
    monkeypatch.setattr(stranded, "PART", 2_000_000)  # otherwise, up to eight rounds are needed
    fill = counting.register_script(_FILL)
    for first in range(0, 1_000_000, 5_000):
        fill(keys=[keys.ready("q"), keys.messages("q")], args=[first, 5_000])
    counting.hset(keys.messages("q"), mapping={f"stranded-{number}": "{}" for number in range(20)})
    janitor = Janitor(counting, heartbeat_timeout_seconds=60, dead_letter_retention_days=7)
    counting.sizes.clear()
    for _ in range(2):
        janitor.run()
    assert max(counting.sizes) <= WAITING_BATCH
    assert len(counting.sizes) > 2 * 1_000_000 // WAITING_BATCH
    assert counting.lrange(keys.ready("q"), 0, 2) == [b"message-0", b"message-1", b"message-2"]
    last = set(counting.lrange(keys.ready("q"), -20, -1))
    assert last == {restored(f"stranded-{number}") for number in range(20)}
    assert counting.hlen(keys.messages("q")) == 1_000_020


def test_long_queue_is_compared_in_parts(redis_client: redis.Redis, janitor: Janitor, monkeypatch: pytest.MonkeyPatch):
    """If a queue has more ids than a round compares, stranded messages return within two rounds for each part, and no
    waiting message is touched.
    """
    monkeypatch.setattr(stranded, "PART", 100)
    waiting = [f"waiting-{number}" for number in range(1_000)]
    redis_client.rpush(keys.ready("q"), *waiting)
    redis_client.hset(keys.messages("q"), mapping=dict.fromkeys([*waiting, *map(str, range(50))], "{}"))
    sizes = []
    for _ in range(33):  # 16 parts, and the first round is the second one of its part
        janitor.run()
        sizes.append(redis_client.llen(keys.ready("q")))
    assert sizes[-1] == 1_050
    assert len(set(sizes)) > 5
    assert redis_client.lrange(keys.ready("q"), 0, 999) == [id.encode() for id in waiting]


def test_message_that_a_round_overlooks_in_its_queue_runs_once(redis_client: redis.Redis, janitor: Janitor):
    """If a message waits although two rounds have not found it, it moves to the end of its queue and has one entry that
    a worker can fetch.
    """
    redis_client.hset(keys.messages("q"), mapping={"first": "1", "second": "2"})
    redis_client.rpush(keys.ready("q"), "first", "second")
    own = [keys.ready("q"), keys.messages("q")]
    assert [janitor._stranded._restore(keys=own, args=["first"]) for _ in range(2)] == [1, 0]
    names = redis_client.lrange(keys.ready("q"), 0, -1)
    assert [redis_client.hget(keys.messages("q"), name) for name in names] == [None, b"2", b"1"]


def test_message_that_a_worker_holds_is_not_restored(redis_client: redis.Redis, janitor: Janitor):
    """The last check is made in the step that puts a message back."""
    redis_client.hset(keys.messages("q"), "held", "{}")
    redis_client.sadd(keys.acks("worker", "q"), "held")
    own = [keys.ready("q"), keys.messages("q"), keys.acks("other", "q"), keys.acks("worker", "q")]
    assert janitor._stranded._restore(keys=own, args=["held"]) == 0
    assert redis_client.llen(keys.ready("q")) == 0


def test_message_that_new_workers_hold_in_two_rounds_is_not_restored(redis_client: redis.Redis):
    """Their keys may be created after the names of the keys were read, and a queue with a million messages is read for
    seconds.
    """
    messages = StrandedMessages(redis_client)
    redis_client.hset(keys.messages("q"), "held", "{}")
    names = [keys.messages("q")]
    for worker in ("first", "second"):
        redis_client.delete(keys.acks("first", "q"))
        redis_client.sadd(keys.acks(worker, "q"), "held")
        assert messages.recover(names) == {}
    redis_client.delete(keys.acks("second", "q"))
    assert [messages.recover(names) for _ in range(2)] == [{}, {"q": 1}]


def test_waiting_messages_with_very_long_ids_keep_their_places(redis_client: redis.Redis, janitor: Janitor):
    """Their ids cannot be returned, but they are recognized as waiting, and only a stranded one gets another id."""
    long = [character * 10_000 for character in "abc"]
    redis_client.hset(keys.messages("q"), mapping=dict.fromkeys(long, "{}"))
    redis_client.rpush(keys.ready("q"), *long[:2])
    waiting = [id.encode() for id in long[:2]]
    janitor.run()
    assert redis_client.lrange(keys.ready("q"), 0, -1) == waiting
    janitor.run()
    assert redis_client.lrange(keys.ready("q"), 0, -1) == [*waiting, restored(long[2])]
