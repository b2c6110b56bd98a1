"""Tests of the stream of quotes, with a real server, a real Redis and real sockets."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import redis

from financehub_shared.market.redis_store import RedisStore
from financehub_web.api import quote_feed, stream
from support.market_data import quote
from support.waiting import eventually
from support.web_server import WebServer, serving

PATH = "/api/v1/stream/quotes"


class Events:
    """The events of one stream, read line by line."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self) -> tuple[str, dict[str, str]]:
        """Return the id and the quote of the next event."""
        fields: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if not line and "data" in fields:
                return fields["id"], json.loads(fields["data"])
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
        assert id == f"{view['fetched_at']}-BTC-USD"


def test_stream_with_symbols_sends_only_these(server: WebServer, store: RedisStore) -> None:
    """Symbols may be written in lower case, and quotes of other assets are not sent."""
    with streaming(server, "?symbols=btc-usd") as events:
        assert events.next()[1]["symbol"] == "BTC-USD"
        now = time.time()
        store.put_quotes([quote("AAPL", "1", fetched_at=now), quote("BTC-USD", "2", fetched_at=now)])
        assert events.next()[1]["price"] == "2"


def test_stream_after_a_reconnection_sends_what_was_missed(
    server: WebServer, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `Last-Event-ID`, quotes that were fetched well before that event are not sent again."""
    monkeypatch.setattr(stream, "OVERLAP_SECONDS", 5.0)
    store.put_quotes([quote("BTC-USD", "2", fetched_at=time.time() + 60)])
    with streaming(server) as events:
        id = [events.next()[0] for _ in range(2)][-1]
    with streaming(server, **{"Last-Event-ID": id}) as events:
        assert events.next()[1]["symbol"] == "BTC-USD"
        store.put_quotes([quote("AAPL", "3", fetched_at=time.time() + 61)])
        assert events.next()[1]["price"] == "3"
    with streaming(server, **{"Last-Event-ID": "nonsense"}) as events:
        assert {events.next()[1]["symbol"] for _ in range(2)} == {"AAPL", "BTC-USD"}


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
    with streaming(server) as events:
        eventually(lambda: events.response.status_code == 200)


def test_mistakes_in_a_stream_are_explained(server: WebServer) -> None:
    """Unknown symbols and parameters, other formats and HEAD are handled as on every other path."""
    with server.client() as client:
        assert client.get(f"{PATH}?symbols=NOPE").status_code == 404
        assert client.get(f"{PATH}?symbol=AAPL").json()["code"] == "unknown-parameter"
        assert client.get(PATH, headers={"Accept": "application/json"}).status_code == 406
        head = client.head(PATH)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"].startswith("text/event-stream")


def test_streams_end_when_the_process_ends(filled: redis.Redis, redis_url: str) -> None:
    """After a signal, streams end at once, so that the process does not wait for its clients."""
    with serving(redis_url) as server, streaming(server) as events:
        events.next()
        began = time.monotonic()
        server.begin_drain()
        with pytest.raises((AssertionError, httpx.RemoteProtocolError)):
            _read_on(events)
        assert time.monotonic() - began < 3


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
        assert max(answer.elapsed.total_seconds() for answer in answers) < 5


def test_slow_stream_gets_the_newest_quote_of_each_symbol_only() -> None:
    """What a stream has to send is bounded by the number of symbols, and nothing is sent twice."""
    subscription = quote_feed.Subscription(None)
    for price in range(5):
        for symbol in ("AAPL", "BTC-USD"):
            event = quote_feed.QuoteEvent(symbol, (price,), f"{symbol}={price};".encode())
            subscription.offer([event, event])
    assert subscription.take() == b"AAPL=4;BTC-USD=4;"
    assert subscription.take() == b""
