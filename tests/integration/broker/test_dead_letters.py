"""Dead letters on a real Redis: found, revived, dropped, singly and by filter."""

import time
from collections.abc import Callable

import dramatiq
import pytest
import redis
from dramatiq.common import current_millis

from financehub_shared.broker import DeadLetterQueue, DeadLetterFilter, Janitor, options
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.build import build_broker
from support.workers import eventually

DAY = 86_400
Serve = Callable[..., object]


def bury(client: "redis.Redis", number: int, *, queue: str = "high", age: float = 0, **ending: object) -> str:
    """Lay a dead letter of a given age (seconds); returns its id."""
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
    """Three dead letters: two on high, one of them two days old; one on low."""
    bury(redis_client, 1, exception="UpstreamError")
    bury(redis_client, 2, exception="TaskFailedError", age=2 * DAY)
    bury(redis_client, 3, queue="low", exception="UpstreamError", age=60)
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
def test_a_filter_finds_what_matches_newest_first(letters: DeadLetterQueue, wanted: DeadLetterFilter, found: list[int]):
    """Every part of a filter narrows; what is left out matches all."""
    assert [letter.kwargs["n"] for letter in letters.find(wanted)] == found


def test_a_limit_keeps_the_newest_of_all_queues(letters: DeadLetterQueue):
    """The limit is of the answer, not of each queue."""
    assert [letter.kwargs["n"] for letter in letters.find(limit=2)] == [1, 3]


def test_one_is_shown_by_its_id(letters: DeadLetterQueue):
    """A letter comes back whole; an unknown id is None."""
    letter = letters.show("letter-3")
    assert letter is not None
    assert (letter.queue, letter.task, letter.message_id, letter.attempts) == ("low", "task_3", "message-3", 2)
    assert letter.died_at == pytest.approx(time.time() - 60, abs=5)
    assert letters.show("letter-9") is None


def test_a_revived_letter_runs_as_if_it_were_new(redis_url: str, redis_client: "redis.Redis", serving: Callable):
    """Requeueing forgets tries and history and gives full age, keeps message id and other options, and runs."""
    broker, seen = build_broker(Settings(redis_url=redis_url), tier="high"), []

    def again(n: int) -> None:
        seen.append(dramatiq.middleware.CurrentMessage.get_current_message().asdict())

    dramatiq.actor(again, broker=broker, queue_name="high", actor_name="task_7", max_age=3_600_000)
    bury(redis_client, 7, age=5 * DAY)
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


def test_what_was_no_message_is_not_requeued(redis_client: "redis.Redis", letters: DeadLetterQueue):
    """Garbage stays a dead letter, whoever laid it there, and can be purged."""
    redis_client.hset(keys.dead_messages("high"), "garbage", b"\x00")
    redis_client.zadd(keys.dead("high"), {"garbage": 1})
    assert letters.requeue(DeadLetterFilter(ids=["garbage"])) == []
    assert letters.show("garbage").reason == "undecodable"
    assert [letter.id for letter in letters.purge(DeadLetterFilter(ids=["garbage"]))] == ["garbage"]


def test_purging_drops_what_matches_and_only_that(redis_client: "redis.Redis", letters: DeadLetterQueue):
    """A purged letter leaves nothing behind; the others stay."""
    assert [letter.kwargs["n"] for letter in letters.purge(DeadLetterFilter(exception="UpstreamError"))] == [1, 3]
    assert [letter.kwargs["n"] for letter in letters.find()] == [2]
    assert redis_client.hkeys(keys.dead_messages("high")) == [b"letter-2"]
    assert not redis_client.exists(keys.dead_messages("low"))


def test_dropping_by_age_counts_first_and_then_drops_as_many(redis_client: "redis.Redis", letters: DeadLetterQueue):
    """A dry run foretells what goes, over more letters than one script takes."""
    for number in range(10, 2_510):
        bury(redis_client, number, queue="medium", age=3 * DAY)
    before = time.time() - DAY
    assert letters.drop_older(before, dry_run=True) == 2_501
    assert letters.drop_older(before) == 2_501
    assert letters.drop_older(before) == 0
    assert [letter.kwargs["n"] for letter in letters.find()] == [1, 3]


def test_the_janitor_drops_what_is_past_the_retention(redis_client: "redis.Redis", letters: DeadLetterQueue):
    """Dead letters end with their retention also where no clean-up task runs."""
    Janitor(redis_client, heartbeat_timeout_seconds=60, dead_letter_retention_days=1).run()
    assert [letter.kwargs["n"] for letter in letters.find()] == [1, 3]


SECRETS = {"finnhub_api_key": "finnhub-k3y-of-the-test", "redis_password": "redis-passw0rd"}


@pytest.mark.parametrize("padding", [0, 980], ids=["whole", "across the cut"])
def test_no_secret_lies_in_the_queues(redis_url: str, redis_client: "redis.Redis", serving: Serve, padding: int):
    """Neither a retry that waits nor a dead letter holds a secret of a raised error, as raw bytes in Redis."""
    settings = Settings(redis_url=redis_url, retry_min_seconds=0.1, retry_max_seconds=0.2, **SECRETS)
    broker = build_broker(settings)

    @dramatiq.actor(broker=broker, queue_name="high", max_retries=1)
    def leak() -> None:
        said = "x" * padding + " and ".join(SECRETS.values())
        raise RuntimeError(said) from ValueError(f"https://host/?token=query-secret {said}")

    leak.send()
    seen: list[bytes] = []

    def dead() -> bool:
        for queue in ("high", "high.DQ"):
            seen.extend(redis_client.hvals(keys.messages(queue)))
        return bool(redis_client.zcard(keys.dead("high")))

    with serving(broker):
        eventually(dead)
    [letter] = redis_client.hvals(keys.dead_messages("high"))
    assert b'"traceback"' in letter
    assert any(b'"traceback"' in data for data in seen)  # the retry was looked at while it waited
    raw = b"".join([letter, *seen])
    assert [secret for secret in (*SECRETS.values(), "query-secret") if secret[:12].encode() in raw] == []
