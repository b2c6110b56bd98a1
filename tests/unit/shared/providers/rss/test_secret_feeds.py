"""No part of a secret feed's URL appears in what the fetch path logs, stores or raises (F15)."""

import io
from pathlib import Path

import httpx
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from financehub_shared.core.settings import Settings, load_settings
from financehub_shared.logging import Redactor, configure_logging, known_secrets
from financehub_shared.providers.rss.provider import Rss, feed_labels
from financehub_shared.providers.transport.conditional import MemoryCacheValidators
from support.feeds import entry, rss_of, shared_parser
from support.upstream import FakeUpstream, Respond

#: Any token, including an ordinary word.
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=8, max_size=24).filter(lambda text: text[0] != "-")
PLACES: dict[str, str] = {
    "user": "https://{}@news.test/feed",
    "password": "https://me:{}@news.test/feed",
    "path": "https://news.test/feed/{}/rss",
    "last part": "https://news.test/{}",
    "query": "https://news.test/feed?u={}",
    "second parameter": "https://news.test/feed?format=rss&who={}",
    "flag": "https://news.test/feed?{}",
    "fragment": "https://news.test/feed#{}",
}


def _fails(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"cannot connect to {request.url}", request=request)


def _redirects(request: httpx.Request) -> httpx.Response:
    return httpx.Response(302, headers={"location": str(request.url)})


def _quarantined(request: httpx.Request) -> httpx.Response:
    """Deliver an entry that is refused, and one that is accepted. Both quote the address of the feed."""
    bad = f"<item><title></title><link>{str(request.url).replace('&', '&amp;')}</link></item>".encode()
    return httpx.Response(200, content=rss_of(entry(), bad.decode()))


ANSWERS: dict[str, Respond] = {
    "cannot connect": _fails,
    "redirects": _redirects,
    "server error": lambda request: httpx.Response(500, content=str(request.url).encode()),
    "not found": lambda request: httpx.Response(404, content=str(request.url).encode()),
    "not a feed": lambda request: httpx.Response(200, content=f"<html>{request.url}".encode()),
    "quarantined": _quarantined,
}


@given(token=TOKENS, place=st.sampled_from(sorted(PLACES)), answer=st.sampled_from(sorted(ANSWERS)))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_fetch_of_a_secret_feed_exposes_no_part_of_its_url(token: str, place: str, answer: str):
    """Whatever the upstream answers, errors, quarantine records, labels and log lines are without the token."""
    url = PLACES[place].format(token)
    configured = Settings(rss_feeds=[], secret_rss_feeds=[url], log_level="DEBUG", log_format="json")
    stream = io.StringIO()
    try:
        configure_logging(configured, "medium", stream=stream)
        upstream = FakeUpstream(ANSWERS[answer])
        redact = Redactor(known_secrets(configured))
        rss = Rss(
            upstream.http,
            lambda _: upstream.guard,
            [],
            MemoryCacheValidators(),
            upstream.clock,
            shared_parser(),
            secret_feeds=[url],
            redact=redact,
        )
        batch = await rss.fetch_news(None, upstream.deadline)
        structlog.get_logger("test").warning("feed_failed", url=url, error=f"cannot read {url!r}", failed=batch.failed)
    finally:
        structlog.reset_defaults()
    assert upstream.requests
    stored = [(record.symbol, record.reason, record.payload) for record in batch.quarantined]
    items = [(item.source, item.provider) for item in batch.items]
    texts = (rss.sources(), batch.failed, [str(error) for error in batch.failed.values()], stored, items)
    assert token not in repr(texts)
    assert token not in stream.getvalue()
    assert "feed_failed" in stream.getvalue()


def test_labels_of_secret_feeds_show_the_host_only():
    """Feeds stay distinguishable, and a token-like part of a public feed is masked too."""
    public = ["https://a.test/rss", "https://a.test/0123456789abcdef/rss", "https://0123456789abcdef.a.test/rss"]
    secret = ["https://a.test/private/rss", "https://me@a.test/private?u=1"]
    assert feed_labels(public, secret) == [
        "a.test/rss",
        "a.test/***/rss",
        "***.a.test/rss",
        "a.test/***",
        "a.test/***#2",
    ]


def test_secret_feeds_come_from_a_mounted_file(tmp_path: Path):
    """The file contains one URL per line."""
    (tmp_path / "secret_rss_feeds").write_text("https://a.test/1?u=x\n\nhttps://b.test/2, https://c.test/3\n")
    loaded = load_settings({"FINANCEHUB_SECRETS_DIR": str(tmp_path)})
    urls = [url.get_secret_value() for url in loaded.secret_rss_feeds]
    assert urls == ["https://a.test/1?u=x", "https://b.test/2", "https://c.test/3"]
    assert "a.test" not in repr(loaded)
    assert "a.test" not in loaded.model_dump_json()
