"""Tests of the stream of quotes, with a real server, a real Redis and real sockets."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import httpx
import pytest
import redis

from financehub_shared.core.models import Quality
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_web.api import quote_feed, stream
from support.full_redis import fill
from support.market_data import quote
from support.redis_server import RedisServer
from support.waiting import eventually
from support.web_server import WebServer, serving

PATH = "/api/v1/stream/quotes"


class Events:
    """The events of one stream, read line by line."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self) -> tuple[str, dict[str, str]]:
        """Return the id and the quote of the next event, which has to be a quote."""
        fields = self.fields()
        assert fields["event"] == "quote", fields
        return fields["id"], json.loads(fields["data"])

    def fields(self) -> dict[str, str]:
        """Return the fields of the next event."""
        fields: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if not line and "data" in fields:
                return fields
            fields[name] = value
        raise AssertionError("the stream has ended")

    def line(self) -> str:
        """Return the next line that is not empty."""
        return next(line for line in self._lines if line)


@contextmanager
def streaming(server: WebServer, query: str = "", **headers: str) -> Iterator[Events]:
    """Open a stream."""
    with server.client() as client, client.stream("GET", PATH + query, headers=headers) as response:
        yield Events(response)


@pytest.fixture
def store(filled: redis.Redis) -> RedisStore:
    """The store with quotes of AAPL and BTC-USD."""
    return RedisStore(filled)


def test_stream_sends_the_current_quotes_and_then_new_ones(server: WebServer, store: RedisStore) -> None:
    """The first events are the current quotes with the keys of the list, and each later one is a new quote."""
    with streaming(server) as events, server.client() as client:
        assert events.response.headers["content-type"].startswith("text/event-stream")
        assert events.line() == "retry: 5000"
        current = [events.next() for _ in range(2)]
        listed = client.get("/api/v1/quotes").json()["data"]
        assert {view["symbol"]: set(view) for _, view in current} == {view["symbol"]: set(view) for view in listed}
        store.put_quotes([quote("BTC-USD", "70000", fetched_at=time.time())])
        id, view = events.next()
        assert (view["symbol"], view["price"]) == ("BTC-USD", "70000")
        assert int(id.partition("-")[2]) == 3


def test_stream_with_symbols_sends_only_these(server: WebServer, store: RedisStore) -> None:
    """Symbols may be written in lower case, and quotes of other assets are not sent."""
    with streaming(server, "?symbols=btc-usd") as events:
        assert events.next()[1]["symbol"] == "BTC-USD"
        now = time.time()
        store.put_quotes([quote("AAPL", "1", fetched_at=now), quote("BTC-USD", "2", fetched_at=now)])
        assert events.next()[1]["price"] == "2"


def test_stream_after_a_reconnection_sends_what_has_changed(server: WebServer, store: RedisStore) -> None:
    """With `Last-Event-ID`, the client gets every quote that has changed since then, and no other one."""
    store.put_quotes([quote("AAPL", "1", fetched_at=time.time()), quote("BTC-USD", "2", fetched_at=time.time())])
    with streaming(server) as events:
        id = [events.next()[0] for _ in range(2)][-1]
    store.put_quotes([quote("AAPL", "3", fetched_at=time.time())])
    with streaming(server, **{"Last-Event-ID": id}) as events:
        assert events.next()[1]["price"] == "3"
        store.put_quotes([quote("AAPL", "4", fetched_at=time.time())])
        assert events.next()[1]["price"] == "4"


def test_stream_after_a_reconnection_sends_a_change_without_a_new_price(
    server: WebServer, store: RedisStore, filled: redis.Redis
) -> None:
    """A price that was fetched long before the last event, and that became unconfirmed since then, is sent."""
    filled.delete(keys.QUOTES)
    old = quote("AAPL", "1", fetched_at=time.time() - 3_600)
    store.put_quotes([old, quote("BTC-USD", "2", fetched_at=time.time())], replaced={"AAPL"})
    with streaming(server) as events:
        id = [events.next()[0] for _ in range(2)][-1]
    store.put_quotes([replace(old, quality=Quality.UNCONFIRMED, note="too far away")], replaced={"AAPL"})
    with streaming(server, **{"Last-Event-ID": id}) as events:
        _, view = events.next()
        assert (view["symbol"], view["quality"]) == ("AAPL", "unconfirmed")


@pytest.mark.parametrize("last_event_id", ["nonsense", "abcdef-2", "-1", "2026-01-05T12:00:00.000Z-AAPL"])
def test_stream_with_an_id_of_another_process_sends_everything(server: WebServer, last_event_id: str) -> None:
    """A client that reconnects to another process may have missed anything, so it gets all quotes."""
    with streaming(server, **{"Last-Event-ID": last_event_id}) as events:
        assert {events.next()[1]["symbol"] for _ in range(2)} == {"AAPL", "BTC-USD"}


def test_outage_is_an_event_of_a_stream(redis_server: Callable[..., RedisServer]) -> None:
    """While Redis is away, the stream says once that its prices may be old, and it says when they are current again."""
    own_redis = redis_server()
    fill(own_redis.client(), own_redis.url)
    with serving(own_redis.url) as server, streaming(server, "?symbols=AAPL") as events:
        events.next()
        own_redis.kill()
        problem = events.fields()
        assert problem["event"] == "problem"
        assert "Redis does not answer" in json.loads(problem["data"])["detail"]
        own_redis.start()
        assert events.fields()["event"] == "recovered"
        fill(own_redis.client(), own_redis.url)
        RedisStore(own_redis.client()).put_quotes([quote("AAPL", "77", fetched_at=time.time())])
        eventually(lambda: events.next()[1]["price"] == "77")


def test_quiet_stream_sends_comments(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without new quotes, a comment shows that the connection is alive."""
    monkeypatch.setattr(stream, "ALIVE_SECONDS", 0.1)
    with streaming(server, "?symbols=AAPL") as events:
        events.next()
        assert [events.line() for _ in range(2)] == [": alive"] * 2


def test_streams_beyond_the_limit_get_503(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of streams is limited, and a stream that its client closes makes room for another one."""
    monkeypatch.setattr(quote_feed, "MOST_STREAMS", 3)
    with ExitStack() as stack:
        streams = [stack.enter_context(streaming(server)) for _ in range(3)]
        for events in streams:
            events.next()
        with server.client() as client:
            refused = client.get(PATH)
            assert (refused.status_code, refused.json()["code"]) == (503, "too-many-streams")
            assert int(refused.headers["retry-after"]) > 0

    def is_accepted() -> bool:
        with streaming(server) as events:
            return events.response.status_code == 200

    eventually(is_accepted, "the closed streams have made room")


def test_streams_of_one_client_beyond_its_limit_get_429(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One client cannot take the streams of all others. Its older streams go on."""
    monkeypatch.setattr(quote_feed, "MOST_OF_CLIENT", 2)
    with ExitStack() as stack:
        streams = [stack.enter_context(streaming(server)) for _ in range(2)]
        for events in streams:
            events.next()
        with server.client() as client:
            refused = client.get(PATH)
            assert (refused.status_code, refused.json()["code"]) == (429, "too-many-streams")
            assert int(refused.headers["retry-after"]) > 0
        other = httpx.Client(base_url=server.url, transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=60)
        with stack.enter_context(other).stream("GET", PATH) as response:
            assert response.status_code == 200


def test_mistakes_in_a_stream_are_explained(server: WebServer) -> None:
    """Unknown symbols and parameters, other formats and HEAD are handled as on every other path."""
    with server.client() as client:
        assert client.get(f"{PATH}?symbols=NOPE").status_code == 404
        assert client.get(f"{PATH}?symbol=AAPL").json()["code"] == "unknown-parameter"
        assert client.get(PATH, headers={"Accept": "application/json"}).status_code == 406
        head = client.head(PATH)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"].startswith("text/event-stream")


def test_streams_end_when_the_process_ends(
    filled: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a signal, streams end at once, so that the process does not wait for its clients."""
    monkeypatch.setattr("financehub_web.app._DRAIN_SECONDS", 60)
    with serving(redis_url) as server, streaming(server) as events:
        events.next()
        began = time.monotonic()
        server.begin_drain()
        with pytest.raises((AssertionError, httpx.RemoteProtocolError)):
            _read_on(events)
        assert time.monotonic() - began < 20


def _read_on(events: Events) -> None:
    while True:
        events.next()


@pytest.mark.parametrize(
    "lines", [b"", b"GET /api/v1/quotes HTT", b"GET /api/v1/quotes HTTP/1.1\r\nHost: localhost\r\n"]
)
def test_slow_clients_do_not_stop_others(server: WebServer, lines: bytes) -> None:
    """While many clients send no complete request, or do not read their answers, others are served as usual."""
    with ExitStack() as stack:
        for _ in range(100):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(lines)
        for _ in range(30):
            deaf = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            deaf.sendall(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        client = stack.enter_context(server.client())
        pool = stack.enter_context(ThreadPoolExecutor(4))
        answers = list(pool.map(lambda _: client.get("/api/v1/quotes"), range(40)))
        assert {answer.status_code for answer in answers} == {200}
        assert max(answer.elapsed.total_seconds() for answer in answers) < 20


def test_slow_stream_gets_the_newest_quote_of_each_symbol_only() -> None:
    """What a stream has to send is bounded by the number of symbols, and nothing is sent twice."""
    subscription = quote_feed.Subscription(None)
    for number in range(1, 11):
        symbol = ("AAPL", "BTC-USD")[number % 2]
        event = quote_feed.QuoteEvent(symbol, number, (number,), f"{symbol}={number};".encode())
        subscription.offer([event, event])
    assert subscription.take() == b"BTC-USD=9;AAPL=10;"
    assert subscription.take() == b""


def test_slow_stream_hears_of_an_outage_only_if_it_lasts() -> None:
    """A stream gets `problem` behind the prices from before it, and `recovered` before those that come after it."""
    subscription = quote_feed.Subscription(None)
    first, second = (quote_feed.QuoteEvent("AAPL", number, (number,), f"{number};".encode()) for number in (1, 2))
    subscription.report("away")
    subscription.report("")
    assert subscription.take() == b""
    subscription.offer([first])
    subscription.report("away")
    assert subscription.take() == b'1;event: problem\ndata: {"detail":"away"}\n\n'
    subscription.report("still away")
    assert subscription.take() == b""
    subscription.report("")
    subscription.offer([second])
    assert subscription.take() == b"event: recovered\ndata: {}\n\n2;"
