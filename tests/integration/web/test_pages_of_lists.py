"""A property of the pages of every list, with many records that are equal in what the list is sorted by."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quarantined
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.redis import keys, queue_keys
from financehub_web.api import newest
from support.hostile_messages import message
from support.market_data import T0, bars, indicators, news, quote
from support.run_events import end_event
from support.web_server import serving

SYMBOLS = [f"T{first}{second}" for first in "ABCDE" for second in "ABCDE"]
#: Route → the parameters of which the example may choose some.
ROUTES: dict[str, dict[str, list[str]]] = {
    "/assets": {"type": ["stock"], "active": ["true"]},
    "/quotes": {
        "sort": ["symbol", "-symbol", "price", "-price", "change_percent", "-change_percent", "fetched_at"],
        "stale": ["true", "false"],
        "symbols": ["TAA,tbb,TCC,TDD"],
    },
    "/bars": {"last": ["1"], "symbols": ["TAA,TBB,TCC"]},
    "/indicators": {"symbols": ["TAA,TBB,TCC"]},
    "/news": {"symbols": ["TAA", "TAA,TBB"], "source": ["Wire"], "q": ["1"], "since": ["2027-01-15T08:00:01Z"]},
    "/quarantine": {"symbol": ["TAA"], "kind": ["quote"], "provider": ["yahoo"], "since": ["2027-01-15T08:00:01Z"]},
    "/runs": {"task": ["task"], "state": ["succeeded"], "since": ["2027-01-15T08:00:01Z"]},
    "/dead-letters": {"queue": ["q"], "task": ["task"], "since": ["2027-01-15T08:00:01Z"]},
}


@pytest.fixture
def client(redis_client: redis.Redis, redis_url: str) -> Iterator[httpx.Client]:
    """A client of a server on a Redis with lists of many records."""
    _fill(redis_client)
    with serving(redis_url, web_requests_per_second=100_000) as server, server.client() as client:
        yield client


def _fill(client: redis.Redis) -> None:
    store = RedisStore(client)
    store.put_assets(Asset(symbol, AssetType.STOCK) for symbol in SYMBOLS)
    store.put_quotes(
        quote(symbol, str(1 + n % 3), fetched_at=T0 + n % 2, change_percent=[None, "-1", "10", "9"][n % 4])
        for n, symbol in enumerate(SYMBOLS)
    )
    store.put_bars([bars(symbol, range(20_000, 20_003)) for symbol in SYMBOLS])
    store.put_indicators(indicators(symbol, rsi_14=[1.0]) for symbol in SYMBOLS)
    items = [news(f"{n}", f"Story {n} of {n * 7919}", T0 + n % 3, SYMBOLS[n % 3]) for n in range(40)]
    store.put_news([replace(item, source=["Wire", "Other"][n % 2]) for n, item in enumerate(items)])
    store.put_quarantined(
        Quarantined(
            ["quote", "bar"][n % 2], SYMBOLS[n % 4], ["yahoo", "finnhub"][n % 3 % 2], f"class{n}: x", "{}", T0 + n % 3
        )
        for n in range(40)
    )
    writer = RecordWriter(client, time.monotonic, 86_400)
    for n in range(40):
        task = ["task", "other"][n % 2]
        names = {"stats": keys.task_stats(task), "running": keys.task_running(task)}
        writer.record_end(end_event(f"run-{n}", task=task, **names) | {"finished_at": T0 + n % 3})
        queue = ["q", "low"][n % 2]
        client.zadd(queue_keys.dead(queue), {f"letter-{n}": (T0 + n % 3) * 1_000})
        client.hset(queue_keys.dead_messages(queue), f"letter-{n}", message(task, id=f"m-{n}"))
    writer.flush()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_pages_of_a_list_equal_one_big_page(client: httpx.Client, data: st.DataObject) -> None:
    """For every list, filter, order and size, the pages together have the records of one big page, in its order."""
    path = data.draw(st.sampled_from(sorted(ROUTES)))
    choices = {name: st.sampled_from(values) for name, values in ROUTES[path].items()}
    parameters = data.draw(st.fixed_dictionaries({}, optional=choices))
    limit = data.draw(st.integers(4, 45))
    whole = client.get(f"/api/v1{path}", params={**parameters, "limit": 100}).json()
    assert whole["next_page_token"] is None
    found: list[Any] = []
    token = ""
    while token is not None:
        page = client.get(f"/api/v1{path}", params={**parameters, "limit": limit, "page_token": token}).json()
        assert len(page["data"]) <= limit
        found += page["data"]
        token = page["next_page_token"]
    assert [_lasting(each) for each in found] == [_lasting(each) for each in whole["data"]]


def _lasting(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "age_seconds"}


@pytest.mark.parametrize("path", ROUTES)
def test_lists_of_the_property_have_several_pages(client: httpx.Client, path: str) -> None:
    """The property above is tested with lists that do not fit on one page."""
    body = client.get(f"/api/v1{path}?limit=5").json()
    assert (len(body["data"]), body["next_page_token"] is not None) == (5, True)


def test_filter_of_dead_letters_examines_a_limited_number_of_them(
    redis_client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page with a filter that matches few letters is short and has a token, and all pages contain each match once."""
    monkeypatch.setattr(newest, "MOST_EXAMINED", 100)
    for n in range(250):
        redis_client.zadd(queue_keys.dead("q"), {f"letter-{n}": (T0 + n) * 1_000})
        content = message("rare" if n in {0, 20} else "task", id=f"m-{n}")
        redis_client.hset(queue_keys.dead_messages("q"), f"letter-{n}", content)
    with serving(redis_url, web_requests_per_second=100_000) as server, server.client() as client:
        pages, token = [], ""
        while token is not None:
            page = client.get("/api/v1/dead-letters", params={"task": "rare", "page_token": token}).json()
            pages.append([letter["id"] for letter in page["data"]])
            token = page["next_page_token"]
        assert pages[0] == []
        assert [id for page in pages for id in page] == ["letter-20", "letter-0"]


@pytest.mark.parametrize("path", ["/quotes", "/news", "/assets", "/schedules", "/dead-letters"])
def test_page_of_the_console_behind_the_last_one_leads_to_the_last_one(client: httpx.Client, path: str) -> None:
    """A list may have become shorter, so a number that is too large is not refused. Zero is."""
    response = client.get(f"{path}?page=99", follow_redirects=True)
    assert response.status_code == 200
    assert str(response.url).endswith(f"{path}?page=1")
    assert client.get(f"{path}?page=0").status_code == 400


def test_page_of_an_unknown_dead_letter_says_why_it_is_missing(client: httpx.Client) -> None:
    """The id that somebody kept may be that of a letter that is gone."""
    response = client.get("/dead-letters/gone")
    assert response.status_code == 404
    assert "<h1>The dead letter gone does not exist</h1>" in response.text
    assert "It was requeued or purged, or this id was never that of a dead letter." in response.text


def test_page_of_dead_letters_keeps_its_filter_when_it_leads_to_the_last_page(
    redis_client: redis.Redis, redis_url: str
) -> None:
    """120 letters fill three pages; page 99 leads to the third one with the same filter, and the links have it too."""
    for n in range(120):
        redis_client.zadd(queue_keys.dead("q"), {f"letter-{n}": (T0 + n) * 1_000})
        redis_client.hset(queue_keys.dead_messages("q"), f"letter-{n}", message("task", id=f"m-{n}"))
    with serving(redis_url, web_requests_per_second=100_000) as server, server.client() as client:
        response = client.get("/dead-letters?task=task&page=99", follow_redirects=True)
        assert str(response.url).endswith("/dead-letters?task=task&page=3")
        assert "101–120 of 120" in response.text
        assert 'href="/api/v1/dead-letters?format=csv&amp;task=task"' in response.text
