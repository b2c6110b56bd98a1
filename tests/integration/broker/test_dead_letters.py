"""Tests that find, requeue and delete dead letters, by id and by filter, on a real Redis."""

import json
import time
from collections.abc import Callable

import dramatiq
import pytest
import redis
from dramatiq.common import current_millis

from financehub_shared.broker import dead_letter_queue, options
from financehub_shared.broker.dead_letter_queue import READ_BATCH, DeadLetterFilter, DeadLetterQueue
from financehub_shared.broker.dead_letter_scripts import READ_FIELDS
from financehub_shared.broker.door import MAX_READ_BYTES
from financehub_shared.broker.janitor import Janitor
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.build import build_broker
from support.waiting import eventually

DAY = 86_400
Serve = Callable[..., object]


def store_letter(client: "redis.Redis", number: int, *, queue: str = "high", age: float = 0, **ending: object) -> str:
    """Store a dead letter of a given age in seconds, and return its id."""
    redis_id = f"letter-{number}"
    letter = dramatiq.Message(
        queue,
        f"task_{number}",
        (),
        {"n": number},
        {"redis_message_id": redis_id, "retries": 2, options.DEAD_LETTER: {"reason": "retries-exhausted"} | ending},
        message_id=f"message-{number}",
    )
    client.hset(keys.dead_messages(queue), redis_id, letter.encode())
    client.zadd(keys.dead(queue), {redis_id: current_millis() - age * 1000})
    return redis_id


@pytest.fixture
def letters(redis_client: "redis.Redis") -> DeadLetterQueue:
    """Three dead letters: two on high, one of which is two days old, and one on low."""
    store_letter(redis_client, 1, exception="UpstreamError")
    store_letter(redis_client, 2, exception="TaskFailedError", age=2 * DAY)
    store_letter(redis_client, 3, queue="low", exception="UpstreamError", age=60)
    return DeadLetterQueue(redis_client)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (DeadLetterFilter(), [1, 3, 2]),
        (DeadLetterFilter(queue="high"), [1, 2]),
        (DeadLetterFilter(queue="nowhere"), []),
        (DeadLetterFilter(task="task_3"), [3]),
        (DeadLetterFilter(exception="UpstreamError"), [1, 3]),
        (DeadLetterFilter(reason="kills-worker"), []),
        (DeadLetterFilter(older_than_seconds=30), [3, 2]),
        (DeadLetterFilter(queue="high", older_than_seconds=DAY), [2]),
        (DeadLetterFilter(ids=["letter-2", "letter-3", "letter-9"]), [3, 2]),
        (DeadLetterFilter(ids=["letter-2"], older_than_seconds=3 * DAY), []),
        (DeadLetterFilter(ids=[]), []),
    ],
)
def test_find_with_a_filter_returns_matches_newest_first(
    letters: DeadLetterQueue, wanted: DeadLetterFilter, found: list[int]
):
    """Every field of a filter narrows the result, and a field that is not set matches all."""
    assert [letter.kwargs["n"] for letter in letters.find(wanted)] == found


def test_find_until_the_death_of_a_letter_returns_it_and_older_ones(letters: DeadLetterQueue):
    """A caller that continues with the time of the last letter misses none."""
    every = letters.find()
    for number, letter in enumerate(every):
        assert letters.find(DeadLetterFilter(died_until=letter.died_at)) == every[number:]


def test_find_with_a_limit_returns_the_newest_of_all_queues(letters: DeadLetterQueue):
    """The limit applies to the result, not to each queue."""
    assert [letter.kwargs["n"] for letter in letters.find(limit=2)] == [1, 3]


def test_show_returns_the_letter_or_none(letters: DeadLetterQueue):
    """A dead letter is returned with all its fields, and an unknown id yields None."""
    letter = letters.show("letter-3")
    assert letter is not None
    assert (letter.queue, letter.task, letter.message_id, letter.attempts) == ("low", "task_3", "message-3", 2)
    assert letter.died_at == pytest.approx(time.time() - 60, abs=25)
    assert letters.show("letter-9") is None


def test_requeued_letter_runs_as_a_new_message(redis_url: str, redis_client: "redis.Redis", serving: Callable):
    """Requeueing drops attempts, history and age, and keeps the message id and other options. The message then runs."""
    broker, seen = build_broker(Settings(redis_url=redis_url), tier="high"), []

    def again(n: int) -> None:
        seen.append(dramatiq.middleware.CurrentMessage.get_current_message().asdict())

    dramatiq.actor(again, broker=broker, queue_name="high", actor_name="task_7", max_age=3_600_000)
    store_letter(redis_client, 7, age=5 * DAY)
    dead_letters = DeadLetterQueue(redis_client)
    assert [letter.id for letter in dead_letters.requeue(DeadLetterFilter(ids=["letter-7"]))] == ["letter-7"]
    assert dead_letters.find() == []
    with serving(broker):
        eventually(lambda: seen)
        eventually(lambda: redis_client.hlen(keys.messages("high")) == 0)
    assert seen[0]["message_id"] == "message-7"
    assert seen[0]["kwargs"] == {"n": 7}
    assert set(seen[0]["options"]) == {"redis_message_id", options.READY_AT}
    assert dead_letters.requeue(DeadLetterFilter(ids=["letter-7"])) == []


def test_requeue_of_garbage_leaves_it_a_dead_letter(redis_client: "redis.Redis", letters: DeadLetterQueue):
    """Bytes that are not a message remain a dead letter and can be purged."""
    redis_client.hset(keys.dead_messages("high"), "garbage", b"\x00")
    redis_client.zadd(keys.dead("high"), {"garbage": 1})
    assert letters.requeue(DeadLetterFilter(ids=["garbage"])) == []
    assert letters.show("garbage").reason == "undecodable"
    assert [letter.id for letter in letters.purge(DeadLetterFilter(ids=["garbage"]))] == ["garbage"]


def test_purge_deletes_only_the_letters_that_match(redis_client: "redis.Redis", letters: DeadLetterQueue):
    """A purged dead letter leaves nothing in Redis, and the others remain."""
    assert [letter.kwargs["n"] for letter in letters.purge(DeadLetterFilter(exception="UpstreamError"))] == [1, 3]
    assert [letter.kwargs["n"] for letter in letters.find()] == [2]
    assert redis_client.hkeys(keys.dead_messages("high")) == [b"letter-2"]
    assert not redis_client.exists(keys.dead_messages("low"))


def test_drop_older_deletes_what_its_dry_run_counted(redis_client: "redis.Redis", letters: DeadLetterQueue):
    """A dry run counts the letters that are then deleted, even if they are more than one script call deletes."""
    for number in range(10, 2_510):
        store_letter(redis_client, number, queue="medium", age=3 * DAY)
    before = time.time() - DAY
    assert letters.drop_older(before, dry_run=True) == 2_501
    assert letters.drop_older(before) == 2_501
    assert letters.drop_older(before) == 0
    assert [letter.kwargs["n"] for letter in letters.find()] == [1, 3]


def test_janitor_drops_letters_past_their_retention(redis_client: "redis.Redis", letters: DeadLetterQueue):
    """Dead letters expire with their retention even if no cleanup task runs."""
    Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=1).run()
    assert [letter.kwargs["n"] for letter in letters.find()] == [1, 3]


SECRETS = {"finnhub_api_key": "finnhub-k3y-of-the-test", "redis_password": "redis-passw0rd"}


@pytest.mark.parametrize("padding", [0, 980], ids=["whole", "across the cut"])
def test_queues_contain_no_secret_of_an_error(
    redis_url: str, redis_client: "redis.Redis", serving: Serve, padding: int
):
    """The raw bytes in Redis of a waiting retry and of a dead letter contain no secret from a raised error."""
    settings = Settings(redis_url=redis_url, retry_min_seconds=3_600, retry_max_seconds=3_600, **SECRETS)
    broker = build_broker(settings)

    @dramatiq.actor(broker=broker, queue_name="high", max_retries=1)
    def leak() -> None:
        text = "x" * padding + " and ".join(SECRETS.values())
        raise RuntimeError(text) from ValueError(f"https://host/?token=query-secret {text}")

    leak.send()
    leak.send_with_options(max_retries=0)
    with serving(broker):
        [retry] = eventually(lambda: redis_client.hvals(keys.messages("high.DQ")))
        [letter] = eventually(lambda: redis_client.hvals(keys.dead_messages("high")))
    assert b'"traceback"' in letter
    assert b'"traceback"' in retry
    raw = letter + retry
    assert [secret for secret in (*SECRETS.values(), "query-secret") if secret[:12].encode() in raw] == []


def test_drop_beyond_of_letters_that_died_at_the_same_time_keeps_the_limit(redis_client: "redis.Redis"):
    """Any client can write letters with the same time, and a burst of refused messages has few different ones."""
    ids = [f"{number:05}" for number in range(2_500)]
    redis_client.zadd(keys.dead("q"), dict.fromkeys(ids, 1_700_000_000_000))
    redis_client.hset(keys.dead_messages("q"), mapping=dict.fromkeys(ids, "{}"))
    letters = DeadLetterQueue(redis_client)
    assert letters.drop_beyond(100) == {"q": 2_400}
    assert redis_client.zcard(keys.dead("q")) == redis_client.hlen(keys.dead_messages("q")) == 100
    assert letters.drop_beyond(100) == {}


def test_listing_of_many_large_letters_reads_them_in_parts(redis_client: "redis.Redis"):
    """A reply of 200 letters of 8 MB each would not fit into the memory of a process."""
    ids = [f"{number:03}" for number in range(10)]
    redis_client.zadd(keys.dead("q"), {id: 1_700_000_000_000 + number for number, id in enumerate(ids)})
    redis_client.hset(keys.dead_messages("q"), mapping=dict.fromkeys(ids, b"x" * 5_000_000))
    redis_client.hdel(keys.dead_messages("q"), "004")
    reply = redis_client.eval(READ_FIELDS, 1, keys.dead_messages("q"), MAX_READ_BYTES, *ids)
    assert [len(data or b"") for data in reply] == [5_000_000] * 3
    assert [letter.id for letter in DeadLetterQueue(redis_client).find()] == ids[::-1]


def test_requeue_of_many_letters_reads_the_time_once_per_batch(redis_client: "redis.Redis"):
    """One more round trip for each of thousands of letters would double the time of the command."""
    body = json.dumps({"queue_name": "q", "actor_name": "t", "args": [], "kwargs": {}, "options": {}})
    ids = [f"{number:03}" for number in range(READ_BATCH + 1)]
    redis_client.zadd(keys.dead("q"), dict.fromkeys(ids, 1_700_000_000_000))
    redis_client.hset(keys.dead_messages("q"), mapping=dict.fromkeys(ids, body))
    redis_client.config_resetstat()
    assert len(DeadLetterQueue(redis_client).requeue(DeadLetterFilter())) == len(ids)
    assert redis_client.info("commandstats")["cmdstat_time"]["calls"] == 2


def test_search_looks_at_a_limited_number_of_letters_of_each_queue(
    redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter that matches only older letters says where the search stopped, and one that finds enough does not."""
    monkeypatch.setattr(dead_letter_queue, "MOST_SEARCHED", 5)
    for number in range(8):
        store_letter(redis_client, number, age=number * 60 + 30, exception="Rare" if number == 7 else "Usual")
    store_letter(redis_client, 8, queue="low", age=15, exception="Usual")
    letters = DeadLetterQueue(redis_client)
    assert letters.search(DeadLetterFilter(exception="Rare"), limit=10) == ([], 5)
    found, searched = letters.search(DeadLetterFilter(exception="Usual"), limit=10)
    assert ([letter.id for letter in found], searched) == (["letter-8", *(f"letter-{n}" for n in range(5))], 5)
    found, searched = letters.search(DeadLetterFilter(exception="Usual"), limit=3)
    assert ([letter.id for letter in found], searched) == (["letter-8", "letter-0", "letter-1"], 0)
    older = DeadLetterFilter(exception="Rare", older_than_seconds=300)
    assert [letter.id for letter in letters.search(older, limit=10).letters] == ["letter-7"]


def test_search_reads_only_the_ids_that_it_searches(
    redis_client: "redis.Redis", redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search reads one id more than it searches, which tells it that there are more."""
    monkeypatch.setattr(dead_letter_queue, "MOST_SEARCHED", 5)
    redis_client.zadd(keys.dead("high"), {f"letter-{number}": number for number in range(50)})
    replies: list[list[object]] = []

    def record(reply: list[object], **_: object) -> list[tuple[object, float]]:
        replies.append(reply)
        return [(id, float(score)) for id, score in zip(reply[::2], reply[1::2], strict=True)]  # type: ignore[arg-type]

    with redis.Redis.from_url(redis_url, protocol=2) as client:
        client.set_response_callback("ZREVRANGEBYSCORE", record)
        assert DeadLetterQueue(client).search(DeadLetterFilter(exception="Rare"), limit=1) == ([], 5)
    assert [len(reply) // 2 for reply in replies] == [6]
