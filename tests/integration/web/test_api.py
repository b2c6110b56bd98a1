"""Tests of the read API: formats, caching, errors and methods of every route, with a real server and a real Redis."""

import csv
import gzip
import io
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_shared.views.formats import iso_time
from financehub_web.api import answers
from support.market_data import bars, quote
from support.web_server import WebServer, serving

V1 = "/api/v1"
#: Routes that return a list.
LISTS = [
    *("/assets", "/quotes", "/bars", "/indicators", "/news", "/quarantine", "/freshness", "/providers"),
    *("/schedules", "/schedules/default/other/runs", "/runs", "/tasks", "/queues", "/workers", "/breakers"),
    "/dead-letters",
]
#: Routes that return one object.
ITEMS = [
    *("/assets/AAPL", "/quotes/btc-usd", "/bars/AAPL", "/indicators/AAPL", "/schedules/default/demo", "/health"),
    "/quotes/AAPL/history",
    *("/runs/task-ended", "/tasks/task", "/dead-letters/letter-q", "/status"),
]
TABLES = [*LISTS, "/quotes/AAPL/history", "/bars/AAPL", "/indicators/AAPL?last=2"]


def test_every_route_is_tested(api: httpx.Client) -> None:
    """The lists above contain a path of every route in the OpenAPI document, except for the stream."""
    paths = set(api.get(f"{V1}/openapi.json").json()["paths"]) - {f"{V1}/stream/quotes"}
    assert len(paths) == len(LISTS) + len(ITEMS)


@pytest.mark.parametrize("path", LISTS)
def test_list_has_data_of_every_kind(api: httpx.Client, path: str) -> None:
    """Each list of a filled Redis is not empty, and has the time of the reading and a token for the next page."""
    answer = api.get(V1 + path)
    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert set(body) == {"data", "meta", "next_page_token"}
    assert body["data"]
    assert body["meta"]["as_of"].endswith("Z")


@pytest.mark.parametrize("path", [*LISTS, *ITEMS, "/openapi.json", "/docs", "/docs.css"])
def test_unchanged_answer_is_304(api: httpx.Client, path: str) -> None:
    """A client that sends the tag of an answer gets 304 without a body, and HEAD has the same headers as GET."""
    first = api.get(V1 + path)
    assert first.headers["etag"].startswith('W/"')
    again = api.get(V1 + path, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    if path not in {"/status", "/health", "/queues"}:  # their durations and ages are data, and change
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    head = api.head(V1 + path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == first.headers["content-type"]


def test_quotes_are_not_encoded_to_find_out_that_nothing_has_changed(
    redis_client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later reading without a change is 304 at once, unless the client asks for ages, and a new price is not."""
    encoded = []
    encode = answers.encode
    monkeypatch.setattr(answers, "encode", lambda *args, **rest: encoded.append(1) or encode(*args, **rest))  # type: ignore[func-returns-value]
    clock = ManualClock(time.time())
    store = RedisStore(redis_client)
    store.put_assets([Asset("BTC-USD", AssetType.CRYPTO)])
    store.put_quotes([quote("BTC-USD", "1", fetched_at=clock.now())])
    with serving(redis_url, clock=clock) as server, server.client() as client:
        for fields, is_encoded in (("", False), ("price", False), ("age_seconds", True)):
            path = f"{V1}/quotes" + (f"?fields={fields}" if fields else "")
            tag = client.get(path).headers["etag"]
            encoded.clear()
            clock.advance(60)
            again = client.get(path, headers={"If-None-Match": tag})
            assert (again.status_code, bool(encoded)) == ((200, True) if is_encoded else (304, False))
        store.put_quotes([quote("BTC-USD", "2", fetched_at=clock.now())])
        clock.advance(60)
        assert client.get(f"{V1}/quotes", headers={"If-None-Match": tag}).json()["data"][0]["price"] == "2"


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", [1, 2])
def test_pages_equal_one_big_page(api: httpx.Client, path: str, limit: int) -> None:
    """The pages of every list contain the same records as one big page, in the same order."""
    whole = api.get(V1 + path).json()["data"]
    found: list[Any] = []
    token = ""
    while token is not None:
        page = api.get(V1 + path, params={"limit": limit, "page_token": token}).json()
        assert len(page["data"]) <= limit
        found += page["data"]
        token = page["next_page_token"]
    assert [_without_ages(each) for each in found] == [_without_ages(each) for each in whole]


def _without_ages(record: Any) -> Any:
    """Return a record without the values that change with time."""
    text = json.dumps(
        {name: value for name, value in record.items() if not name.endswith(("age_seconds", "heartbeat_at"))}
    )
    return text if "freshness" not in record else record["name"]


@pytest.mark.parametrize("path", TABLES)
def test_csv_has_the_same_records(api: httpx.Client, path: str) -> None:
    """CSV by parameter and by `Accept` has a header and a line for each record, and its own unchanging tag."""
    join = "&" if "?" in path else "?"
    by_parameter = api.get(f"{V1}{path}{join}format=csv")
    by_accept = api.get(V1 + path, headers={"Accept": "text/csv"})
    assert by_parameter.headers["content-type"].startswith("text/csv")
    assert by_parameter.headers["etag"] == by_accept.headers["etag"]
    data = api.get(V1 + path).json()["data"]
    rows = data if isinstance(data, list) else data.get("candles") or data.get("bars") or data["series"]
    lines = list(csv.reader(io.StringIO(by_parameter.text, newline="")))
    assert lines[0] == list(rows[0])
    assert len(lines) == len(rows) + 1


def test_csv_of_all_pages_is_read_by_following_links(api: httpx.Client) -> None:
    """Each CSV page names the next one for the same parameters, and the last page names none."""
    whole = api.get(f"{V1}/quotes?fields=symbol&format=csv")
    assert "link" not in whole.headers
    address, lines = "/quotes?fields=symbol&format=csv&limit=1", []
    while address:
        page = api.get(V1 + address)
        lines += page.text.splitlines()[1:]
        target = page.links.get("next", {}).get("url", "")
        assert not target or target.startswith("?fields=symbol&format=csv&limit=1&page_token=")
        address = target and f"/quotes{target}"
    assert lines == whole.text.splitlines()[1:]
    assert len(lines) == 2


def test_csv_has_the_warnings_in_a_header(redis_client: redis.Redis, redis_url: str) -> None:
    """A CSV answer in which a damaged record is missing says so, with the same words as JSON."""
    redis_client.hset(keys.ASSETS, "AAPL", b"\xff{")
    with serving(redis_url) as server, server.client() as client:
        warnings = client.get(f"{V1}/assets").json()["meta"]["warnings"]
        assert warnings
        assert json.loads(client.get(f"{V1}/assets?format=csv").headers["x-warnings"]) == warnings


def test_fields_and_numbers_change_the_form(api: httpx.Client) -> None:
    """`fields` selects keys, and decimals are exact strings unless the client asks for numbers."""
    assert api.get(f"{V1}/quotes?fields=price,symbol").json()["data"][0] == {"price": "65000.10", "symbol": "AAPL"}
    assert api.get(f"{V1}/quotes/AAPL?fields=price&numbers=float").json()["data"] == {"price": 65000.1}
    assert api.get(f"{V1}/quotes?fields=symbol&format=csv").text == "symbol\r\nAAPL\r\nBTC-USD\r\n"


def test_unlike_spellings_of_a_request_share_one_answer(server: WebServer, api: httpx.Client) -> None:
    """The order and the spelling of the parameters do not count, and only what changes the answer does."""
    queries = ("symbols=AAPL&limit=5", "limit=05&symbols=aapl", "symbols=AAPL,aapl&limit=5&format=json&sort=symbol")
    assert len({api.get(f"{V1}/quotes?{query}").content for query in queries}) == 1
    assert len(server.app.state.bodies) == 1
    api.get(f"{V1}/quotes?{queries[0]}&format=csv")
    api.get(f"{V1}/quotes?{queries[0]}&stale=false")
    assert len(server.app.state.bodies) == 3


def test_large_answers_are_compressed_if_the_client_accepts_it(redis_client: redis.Redis, redis_url: str) -> None:
    """From 1 kB on, gzip is used for clients that accept it; the content is the same."""
    symbols = [f"T{chr(65 + number // 26)}{chr(65 + number % 26)}" for number in range(60)]
    store = RedisStore(redis_client)
    store.put_assets(Asset(symbol, AssetType.STOCK) for symbol in symbols)
    with serving(redis_url) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        path = f"{V1}/assets?fields=symbol,type,kind"
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["vary"]
        assert json.loads(gzip.decompress(raw))["data"] == plain.json()["data"]
        small = client.get(f"{V1}/assets/TAA?fields=symbol", headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in small.headers


@pytest.mark.parametrize(
    ("path", "status", "code", "text"),
    [
        ("/quotes?symbol=AAPL", 400, "unknown-parameter", "did you mean symbols?"),
        ("/quotes?zzz=1", 400, "unknown-parameter", "known parameters: fields, format"),
        ("/quotes?fields=prise", 400, "unknown-field", "did you mean price"),
        ("/quotes?sort=prise", 400, "invalid-parameter", "did you mean price"),
        ("/quotes?limit=0", 400, "invalid-parameter", "limit '0'"),
        ("/quotes?limit=10001", 400, "invalid-parameter", "10000"),
        ("/quotes?format=xml", 400, "invalid-parameter", "format 'xml'"),
        ("/quotes?page_token=nonsense", 400, "invalid-page-token", "next_page_token"),
        ("/news?since=yesterday", 400, "invalid-parameter", "such as 2026-01-05"),
        ("/news?since=999999999999", 400, "invalid-parameter", "such as 2026-01-05"),
        ("/runs?state=failed", 400, "invalid-parameter", "dead-lettered"),
        ("/runs?page_token=WzEsMl0", 400, "invalid-page-token", "next_page_token"),
        ("/indicators/AAPL?names=rsi", 400, "unknown-indicator", "did you mean rsi_14?"),
        ("/quotes/AAPL/history?start=2026-01-05&end=2026-01-05", 400, "invalid-range", "before its end"),
        ("/quotes/AAPL/history?interval=2m", 400, "invalid-parameter", "'1m', '5m'"),
        ("/quotes/NOPE/history", 404, "unknown-symbol", "NOPE"),
        ("/quotes/BTCUSD", 404, "unknown-symbol", "did you mean BTC-USD?"),
        ("/quotes?symbols=AAPL,NOPE", 404, "unknown-symbol", "'NOPE'"),
        ("/quotes/ETH-USD", 404, "no-data-yet", "ETH-USD has no price yet"),
        ("/bars/ETH-USD", 404, "no-data-yet", "ETH-USD has no bars yet"),
        ("/indicators/ETH-USD", 404, "no-data-yet", "no indicators yet"),
        ("/runs/unknown", 404, "unknown-run", "/api/v1/runs"),
        ("/tasks/taks", 404, "unknown-task", "did you mean task?"),
        ("/schedules/default/dmo", 404, "unknown-schedule", "did you mean default/demo"),
        ("/schedules/default/dmo/runs", 404, "unknown-schedule", "default/demo"),
        ("/dead-letters/unknown", 404, "unknown-dead-letter", "/api/v1/dead-letters"),
        ("/docs?zzz=1", 400, "unknown-parameter", "known parameters: none"),
        ("/docs.css?zzz=1", 400, "unknown-parameter", "known parameters: none"),
        ("/openapi.json?zzz=1", 400, "unknown-parameter", "known parameters: none"),
        (f"/assets/{'A' * 601}", 400, "invalid-parameter", "600"),
        (f"/tasks/{'A' * 601}", 400, "invalid-parameter", "600"),
        ("/quote", 404, "unknown-path", "did you mean /api/v1/quotes"),
    ],
)
def test_mistake_of_the_client_is_explained(api: httpx.Client, path: str, status: int, code: str, text: str) -> None:
    """Each error is a problem document (RFC 9457) that says what was wrong and what to do."""
    answer = api.get(V1 + path)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "instance", "code", "near"}
    assert (problem["status"], text in problem["detail"]) == (status, True), problem["detail"]


@pytest.mark.parametrize(("path", "accept"), [("/quotes", "application/xml"), ("/quotes/AAPL", "text/csv")])
def test_format_that_the_path_does_not_have_is_406(api: httpx.Client, path: str, accept: str) -> None:
    """The error names the formats of the path."""
    answer = api.get(V1 + path, headers={"Accept": accept})
    assert (answer.status_code, "application/json" in answer.json()["near"]) == (406, True)


@pytest.mark.parametrize("path", ["/quotes", "/runs/task-ended", "/stream/quotes", "/openapi.json", "/nope"])
def test_methods_of_the_api(filled: redis.Redis, redis_url: str, path: str) -> None:
    """OPTIONS names the methods, others are refused with their list, and HEAD has no body."""
    settings = {"web_mode": "write", "web_host": "127.0.0.1", "web_hosts": ["127.0.0.1"]}
    same_origin = {"Sec-Fetch-Site": "same-origin"}
    with serving(redis_url, **settings) as server, server.client(headers=same_origin) as client:
        expected = 404 if path == "/nope" else None
        options = client.options(V1 + path)
        assert options.status_code == (expected or 204)
        refused = client.post(V1 + path)
        assert (refused.status_code, refused.json()["status"]) == ((expected or 405,) * 2)
        if not expected:
            assert options.headers["allow"] == refused.headers["allow"] == "GET, HEAD, OPTIONS"
        assert client.head(V1 + path).content == b""


def test_client_that_sends_too_many_requests_gets_429(filled: redis.Redis, redis_url: str) -> None:
    """The error says when to continue, answers say how many requests are left, and health is not limited."""
    settings = {"web_requests_per_second": 0.5, "web_trusted_proxies": ["127.0.0.1"]}
    clock = ManualClock(time.time())  # no request becomes allowed while the test runs
    with serving(redis_url, clock=clock, **settings) as server, server.client() as client:
        answers = [client.get(f"{V1}/queues") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        remaining = [answer.headers["ratelimit"].split(";")[1] for answer in answers[:5]]
        assert remaining == [f"r={number}" for number in (4, 3, 2, 1, 0)]
        assert 0 < int(answers[5].headers["retry-after"]) <= 2
        assert answers[5].json()["code"] == "too-many-requests"
        assert answers[5].headers["ratelimit-policy"] == '"default";q=5;w=10'
        assert client.get(f"{V1}/queues", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200
        assert {client.get("/api/health/").status_code for _ in range(10)} == {200}


def test_only_named_origins_may_read_the_api(filled: redis.Redis, redis_url: str) -> None:
    """CORS headers exist for the origins of the setting, for the API only, and by default for none."""
    origin = {"Origin": "https://app.example.com"}
    with serving(redis_url, web_origins=["https://app.example.com"]) as server, server.client() as client:
        allowed = client.get(f"{V1}/queues", headers=origin)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
        preflight = client.options(f"{V1}/queues", headers={**origin, "Access-Control-Request-Method": "GET"})
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, origin["Origin"])
        other = client.get(f"{V1}/queues", headers={"Origin": "https://evil.example.com"})
        assert "access-control-allow-origin" not in other.headers
        assert "access-control-allow-origin" not in client.get("/", headers=origin).headers
    with serving(redis_url) as server, server.client() as client:
        assert "access-control-allow-origin" not in client.get(f"{V1}/queues", headers=origin).headers


@pytest.mark.parametrize(("given", "kept"), [("abc-123", True), ("a b", False), ("x" * 129, False), ("é", False)])
def test_request_id_is_returned_if_it_is_valid(api: httpx.Client, given: str, kept: bool) -> None:
    """The id of the client is returned, and anything that could forge a log line is replaced by another id."""
    answer = api.get(f"{V1}/queues", headers={"X-Request-Id": given.encode()})
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.headers["x-request-id"].isascii()


def test_requests_are_measured_by_route(server: WebServer, api: httpx.Client) -> None:
    """Labels contain the template of the path, and never a symbol or an unknown path."""
    for path in ("/quotes/AAPL", "/quotes/NOPE-USD", "/nope/AAPL"):
        api.get(V1 + path)
    api.head(f"{V1}/quotes/AAPL")
    text = server.metrics.expose("")[1].decode()
    counts = [
        line.partition("{")[2] for line in text.splitlines() if line.startswith("financehub_http_requests_total{")
    ]
    route = 'route="/api/v1/quotes/{symbol}"'
    assert any(route in line and 'method="GET"' in line and 'status="200"' in line for line in counts)
    assert any(route in line and 'method="HEAD"' in line and 'status="200"' in line for line in counts)
    assert any(route in line and 'status="404"' in line for line in counts)
    assert any('route="unknown"' in line for line in counts)
    assert "AAPL" not in text
    assert "NOPE" not in text


def test_health_has_the_same_content_as_in_other_processes(api: httpx.Client) -> None:
    """The report on the port of the console has the keys of every other process, also without the last slash."""
    answer = api.get("/api/health/")
    assert set(answer.json()) == {"status", "version", "at", "problems", "checks"}
    assert api.get("/api/health").json().keys() == answer.json().keys()


def test_prefix_may_be_in_the_path_or_not(filled: redis.Redis, redis_url: str) -> None:
    """Behind a proxy that strips the prefix or keeps it, every path works, and errors and limits too."""
    with serving(redis_url, web_prefix="/financehub") as server, server.client() as client:
        for prefix in ("", "/financehub"):
            answer = client.get(f"{prefix}{V1}/quotes/AAPL")
            assert (answer.status_code, answer.headers["ratelimit-policy"]) == (200, '"default";q=600;w=10')
            assert client.get(f"{prefix}{V1}/quote").json()["code"] == "unknown-path"
            assert client.head(f"{prefix}{V1}/quotes").status_code == 200
            assert client.get(f"{prefix}/api/health/").status_code == 200


Damage = Callable[[redis.Redis], object]


@pytest.mark.parametrize(
    ("path", "damage", "kept", "named"),
    [
        ("/assets", lambda client: client.hset(keys.ASSETS, "AAPL", b"\xff{"), "BTC-USD", "AAPL"),
        ("/quotes", lambda client: client.hset(keys.QUOTES, "AAPL", b"\xff{"), "BTC-USD", "AAPL"),
        ("/bars", lambda client: client.set(keys.bars("AAPL"), b"\xff{"), "BTC-USD", "AAPL"),
        ("/indicators", lambda client: client.hset(keys.INDICATORS, "AAPL", b"\xff{"), "BTC-USD", "AAPL"),
        ("/news", lambda client: client.hset(keys.NEWS, "AAPL", b"\xff{"), "BTC-USD", "AAPL"),
        ("/freshness", lambda client: client.hset(keys.FRESHNESS, "news|rss", b"never"), "bars", "news|rss"),
        ("/workers", lambda client: client.set(keys.process("p-1"), b"\xff{"), "p-2", "p-1"),
        ("/runs", lambda client: client.hset(keys.run("task-ended"), "state", "x"), "other-ended", "task-ended"),
        ("/schedules", lambda client: client.set(keys.SCHEDULES_REFUSED, "x"), "default/other", "refused"),
    ],
)
def test_damaged_record_is_named_and_does_not_affect_others(
    filled: redis.Redis, redis_url: str, path: str, damage: Damage, kept: str, named: str
) -> None:
    """A record that cannot be read is missing in the list and named in the warnings, and all others are there."""
    damage(filled)
    with serving(redis_url) as server, server.client() as client:
        body = client.get(V1 + path).json()
    assert kept in json.dumps(body["data"])
    assert any(named in warning for warning in body["meta"]["warnings"]), body["meta"]


def test_damaged_record_of_one_asset_is_explained(filled: redis.Redis, redis_url: str) -> None:
    """A client that asks for an asset whose record is damaged learns that, and not that the asset does not exist."""
    filled.hset(keys.ASSETS, "BTC-USD", b"\xff{")
    filled.hset(keys.QUOTES, "AAPL", b"\xff{")
    with serving(redis_url) as server, server.client() as client:
        for symbol in ("AAPL", "BTC-USD"):
            answer = client.get(f"{V1}/quotes/{symbol}")
            assert (answer.status_code, answer.json()["code"]) == (404, "unreadable-record")


def test_range_of_bars_is_inclusive(redis_client: redis.Redis, redis_url: str) -> None:
    """`start`, `end` and `last` select bars by their day, of one asset and of several. `/bars` alone has no bars."""
    store = RedisStore(redis_client)
    store.put_assets([Asset("BTC-USD", AssetType.CRYPTO)])
    store.put_bars([bars("BTC-USD", range(20_454, 20_464))])  # 2026-01-01 to 2026-01-10
    with serving(redis_url) as server, server.client() as client:

        def days(query: str) -> list[str]:
            answer = client.get(f"{V1}/bars/BTC-USD?{query}").json()["data"]
            assert answer["count"] == 10
            of_several = client.get(f"{V1}/bars?symbols=btc-usd&{query}").json()["data"]
            assert of_several == [answer if query else {**answer, "bars": []}]
            return [bar["day"][-2:] for bar in answer["bars"]]

        assert days("") == [f"{day:02}" for day in range(1, 11)]
        assert days("start=2026-01-09") == ["09", "10"]
        assert days("start=2026-01-03T12:00:00Z&end=2026-01-04") == ["03", "04"]
        assert days("start=2026-01-03T23:00:00-02:00&end=2026-01-04T01:00:00%2B02:00") == []
        assert days("end=2026-01-05&last=2") == ["04", "05"]
        assert days("start=2026-01-05&end=2026-01-03") == []


def test_first_and_last_candle_of_a_history_are_complete(redis_client: redis.Redis, redis_url: str) -> None:
    """A range that begins or ends inside of an interval has whole candles, and so have the charts of the console."""
    now = time.time()
    begin = (now - 7_200) // 3_600 * 3_600
    store = RedisStore(redis_client)
    store.put_assets([Asset("BTC-USD", AssetType.CRYPTO)])
    for minute in range(60):
        store.put_quotes([quote("BTC-USD", str(100 + minute), fetched_at=begin + 60 * minute)])
    with serving(redis_url) as server, server.client() as client:
        path = f"{V1}/quotes/BTC-USD/history?interval=1h"
        (whole,) = client.get(path).json()["data"]["candles"]
        start, end = (iso_time(begin + seconds) for seconds in (1_200, 1_800))
        assert client.get(f"{path}&start={start}&end={end}").json()["data"]["candles"] == [whole]
        assert (whole["open"], whole["close"], whole["count"]) == (100, 159, 60)
        recent = server.app.state.fleet.recent_history("BTC-USD", now - begin - 1_800, 3_600)
        assert len(recent.value.points) == 60


def test_sorted_quotes_are_ordered_by_value(redis_client: redis.Redis, redis_url: str) -> None:
    """Prices are ordered as numbers, and quotes without a value come last in both directions."""
    store = RedisStore(redis_client)
    changes = {"AAPL": "-1.5", "MSFT": None, "NVDA": "10", "TSLA": "9"}
    store.put_assets(Asset(symbol, AssetType.STOCK) for symbol in changes)
    store.put_quotes(quote(symbol, change_percent=change) for symbol, change in changes.items())
    with serving(redis_url) as server, server.client() as client:
        for sort, expected in (("change_percent", "ATNM"), ("-change_percent", "NTAM"), ("-symbol", "TNMA")):
            data = client.get(f"{V1}/quotes", params={"sort": sort, "symbols": "tsla,nvda,msft,aapl"}).json()["data"]
            assert [view["symbol"][0] for view in data] == list(expected)


def test_unexpected_error_is_500_without_its_text(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of FinanceHub is a problem document that names the class only, because its text may have a secret."""

    def fail() -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(server.app.state.fleet, "queues", fail)
    with capture_logs() as logs, server.client() as client:
        answer = client.get(f"{V1}/queues", headers={"X-Request-Id": "find-me"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert answer.headers["x-request-id"] == "find-me"
    assert "secret" not in answer.text
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["api_request_failed"]
    assert 'status="500"' in server.metrics.expose("")[1].decode()


def test_store_error_is_503_with_the_reason(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is a problem document with the reason and the time of the next attempt."""

    def fail() -> None:
        raise StoreUnavailableError("Redis does not answer: refused")

    monkeypatch.setattr(server.app.state.fleet, "queues", fail)
    with server.client() as client:
        answer = client.get(f"{V1}/queues")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "redis-unavailable", "5")
    assert "refused" in answer.json()["detail"]
