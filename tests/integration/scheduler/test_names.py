"""Tests that a name which no schedule has is answered with the schedules that the user may have meant (C7)."""

import uuid

import pytest
import redis

from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.redis import keys
from financehub_shared.schedules import all_schedules, find_schedules

TASKS = {
    "default/fetch-news": "fetch_news_task",
    "default/fetch-crypto-prices": "fetch_crypto_prices_task",
    "prod/fetch-news-fast": "fetch_news_task",
    "prod/report": "send_report",
}


@pytest.fixture
def registered(redis_client: redis.Redis) -> redis.Redis:
    """A Redis with the names and the tasks of four schedules."""
    for name, task in TASKS.items():
        uid = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        redis_client.hset(keys.SCHEDULE_NAMES, name, uid)
        redis_client.hset(keys.schedule(uid), mapping={"task": task, "name": name})
    return redis_client


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("fetch-new", "did you mean default/fetch-news?"),
        ("Fetch-News", "did you mean default/fetch-news"),
        ("fetch_news", "did you mean default/fetch-news"),
        ("kube/fetch-news", "did you mean default/fetch-news"),
        ("default/fetch-nesw", "did you mean default/fetch-news"),
        ("defualt/fetch-news", "did you mean default/fetch-news"),
        ("reprot", "did you mean prod/report?"),
        ("fetch_news_task", "it is a task, and its schedules are default/fetch-news, prod/fetch-news-fast; "),
        ("send_report", "it is a task, and its schedules are prod/report; `financehub run send_report` runs it"),
        ("health_check_task", "it is a task, and no schedule runs it; `financehub run health_check_task` runs it"),
        ("zzz", "registered schedules: default/fetch-crypto-prices, default/fetch-news, prod/fetch-news-fast, prod/r"),
        ("", "registered schedules: "),
        ("/", "registered schedules: "),
    ],
)
def test_unknown_name_of_a_schedule_is_answered_with_near_names(
    registered: redis.Redis, name: str, advice: str
) -> None:
    """A typo, another case, another namespace and the name of a task lead to the schedules that may be meant."""
    with pytest.raises(InvalidArgumentsError) as caught:
        find_schedules(registered, [name])
    assert str(caught.value).startswith(f"schedules: argument 'name': {name!r} is not registered; {advice}")


def test_advice_survives_records_that_cannot_be_read(registered: redis.Redis) -> None:
    """A record of another type has no task, and the names are proposed anyway."""
    for uid in all_schedules(registered).values():
        registered.delete(keys.schedule(uid))
        registered.set(keys.schedule(uid), "x")
    with pytest.raises(InvalidArgumentsError, match="did you mean default/fetch-news"):
        find_schedules(registered, ["fetch-new"])


def test_advice_lists_a_limited_number_of_names(redis_client: redis.Redis) -> None:
    """Of many schedules, twelve are listed, and the number of the others is stated."""
    redis_client.hset(keys.SCHEDULE_NAMES, mapping={f"default/s{number:04}": f"u{number}" for number in range(2_000)})
    with pytest.raises(InvalidArgumentsError, match=r"default/s0011 and 1,988 more \(`financehub schedules list`\)$"):
        find_schedules(redis_client, ["xyz-unlike-all"])


def test_advice_without_any_schedule_asks_for_the_scheduler(redis_client: redis.Redis) -> None:
    """If no schedule is registered, the message says so."""
    with pytest.raises(InvalidArgumentsError, match=r"no schedule is registered \(is a scheduler running\?\)"):
        find_schedules(redis_client, ["fetch-news"])
