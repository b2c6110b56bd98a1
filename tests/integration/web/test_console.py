"""The pages of the console as a program sees them: addresses behind a proxy, headers, caching and outages of Redis."""

import re
import time
from collections.abc import Callable

import httpx
import pytest
import redis

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_web.console.quotes import ROWS
from support.large_fleet import ASSETS, put_many_assets
from support.market_data import quote
from support.redis_server import RedisServer
from support.web_server import serving

PAGES = (
    "/",
    "/quotes",
    "/quotes/AAPL",
    "/quotes/AAPL/chart.json",
    "/news",
    "/assets",
    "/quarantine",
    "/schedules",
    "/schedules/default/demo",
    "/runs",
    "/runs/task-ended",
    "/tasks",
    "/dead-letters",
    "/dead-letters/letter-q",
    "/providers",
    "/fleet",
    "/about",
)
#: Attributes with an address, and the address.
_ADDRESSES = re.compile(r' (?:href|src|action|data-url)="([^"#?][^"]*)"')


@pytest.mark.parametrize("path", PAGES)
def test_page_is_safe_and_never_shared(api: httpx.Client, path: str) -> None:
    """Each page answers GET and HEAD, allows only its own scripts and styles, and no cache keeps it for others."""
    response = api.get(path)
    assert response.status_code == 200
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert "<script>" not in response.text
    assert " style=" not in response.text
    head = api.head(path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("address", "detail", "link"),
    [
        (
            "/dead-letters?older_than=soon",
            "older_than: &#39;soon&#39; is not a duration",
            '"/dead-letters">Go to Dead letters',
        ),
        ("/runs?since=soon", "Since: &#39;soon&#39; is not a day or time; write one such as", '"/runs">Go to Runs'),
        ("/schedules?q=" + "x" * 201, "q: the value has more than 200 characters.", '"/schedules">Go to Schedules'),
        ("/quarantine?kind=x", "kind: the value must be &#39;&#39;, &#39;quote&#39;", '"/quarantine">Go to Quarantine'),
        ("/nope", "No page has the address /nope.", '"/">Go to Overview'),
    ],
)
def test_wrong_filter_leads_back_to_its_list(api: httpx.Client, address: str, detail: str, link: str) -> None:
    """The page says which value is wrong, in words of the console, and links to the list without a filter."""
    page = api.get(address)
    assert page.status_code in {400, 404}
    assert detail in page.text
    assert link in page.text


def test_unchanged_page_is_not_sent_again(api: httpx.Client) -> None:
    """A page whose texts changed only because time passed has the same ETag, and the client gets 304."""
    first = api.get("/assets")
    time.sleep(2.1)  # then Redis is read again
    second = api.get("/assets")
    assert second.text != first.text
    assert second.headers["ETag"] == first.headers["ETag"]
    third = api.get("/assets", headers={"If-None-Match": first.headers["ETag"]})
    assert (third.status_code, third.content) == (304, b"")
    assert api.get("/quotes", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_static_file_with_its_version_is_kept_by_browsers(api: httpx.Client) -> None:
    """The addresses of files contain their hashes. Without the right hash, a browser asks again."""
    (address,) = re.findall(r'href="([^"]*console\.css[^"]*)"', api.get("/").text)
    assert "immutable" in api.get(address).headers["Cache-Control"]
    assert "no-cache" in api.get("/static/console.css?v=0").headers["Cache-Control"]
    assert api.get("/static/../pages.py").status_code == 404
    assert api.get("/static/%2e%2e/pages.py").status_code == 404


@pytest.mark.parametrize("is_stripped", [True, False], ids=["stripped", "unstripped"])
def test_pages_behind_a_prefix_link_only_below_it(filled: redis.Redis, redis_url: str, is_stripped: bool) -> None:
    """All addresses begin with the prefix, whether the proxy removes it from requests or not."""
    assert filled.ping()
    prefix = "/tools/financehub"
    with serving(redis_url, web_prefix=prefix, web_requests_per_second=1_000) as server, server.client() as client:
        for path in PAGES:
            response = client.get(path if is_stripped else prefix + path)
            assert response.status_code == 200, path
            for address in _ADDRESSES.findall(response.text):
                assert address.startswith((f"{prefix}/", "https://")), (path, address)
                if "/static/" in address:
                    requested = address.removeprefix(prefix) if is_stripped else address
                    assert client.get(requested).status_code == 200, address


def test_pages_show_the_last_good_data_while_redis_is_away(redis_server: Callable[..., RedisServer]) -> None:
    """After Redis ends, each page that was read says since when its data is old, and the title begins with a cross."""
    own_redis = redis_server()
    with own_redis.client() as client:
        store = RedisStore(client)
        store.put_assets([Asset("AAPL", AssetType.STOCK, "Apple")])
        store.put_quotes([quote("AAPL", "456.06", time.time())])
    with serving(own_redis.url, web_requests_per_second=1_000) as server, server.client() as client:
        assert "456.06" in client.get("/quotes").text
        own_redis.stop()
        time.sleep(2.1)  # an older reading is made again before the page is sent
        page = client.get("/quotes")
        assert page.status_code == 200
        assert "456.06" in page.text
        assert "Not current:" in page.text
        assert "<title>✗" in page.text
        unread = client.get("/news")
        assert unread.status_code == 503
        assert "Redis does not answer" in unread.text
        assert "<title>✗" in unread.text


def test_page_says_which_records_it_cannot_show(filled: redis.Redis, redis_url: str) -> None:
    """A damaged record is missing on a page, so the page names it. The page of something else does not."""
    filled.hset(keys.QUOTES, "AAPL", b"\xff{")
    with serving(redis_url) as server, server.client() as client:
        page = client.get("/quotes").text
        assert "Incomplete:" in page
        assert f"{keys.QUOTES} AAPL" in page
        assert "Incomplete:" not in client.get("/news").text


def test_page_of_a_thousand_quotes_is_small(redis_client: redis.Redis, redis_url: str) -> None:
    """A page has some of them and takes less than 60 kB. `make bench ONLY=web` measures the time."""
    put_many_assets(RedisStore(redis_client))
    with serving(redis_url, web_requests_per_second=1_000) as server, server.client() as client:
        for page in range(1, ASSETS // ROWS + 1):
            response = client.get(f"/quotes?page={page}")
            assert response.status_code == 200
            assert response.text.count('href="/quotes/S') == ROWS
            assert int(response.headers["Content-Length"]) < 60_000
