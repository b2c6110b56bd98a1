"""Secrets in URLs are recognized by their place or form, and nothing else is masked (F15)."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings, load_settings
from financehub_shared.core.url_secrets import MASK, has_secret, is_secret_name, looks_like_token, mask_urls
from financehub_shared.logging import Redactor, known_secrets

DEFAULTS = Settings()
#: A token as keys and tokens are generated: hexadecimal, base 62, base 64 for URLs, or a UUID.
TOKENS = st.one_of(
    st.text("0123456789abcdef", min_size=20, max_size=40).filter(looks_like_token),
    st.text("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=16, max_size=40).filter(
        looks_like_token
    ),
    st.uuids().map(str),
)
SECRET_NAMES = st.sampled_from(
    [
        *("apikey", "api_key", "api-key", "ApiKey", "key", "token", "access_token", "authToken", "X-Amz-Signature"),
        *("sig", "password", "passwd", "pwd", "client_secret", "crumb", "x_cg_demo_api_key", "session_id", "jwt"),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "rss",
        "100003114",
        "mw_topstories",
        "outboundfeeds",
        "2026-11-30",
        "markets-and-economy-news",
        "feed.xml",
        "yahoo-finance-2024-11-30",
        "BTC-USD,ETH-USD",
        "v8",
        "1700000000",
        "device",
        "rssindex",
        "world-2024",
    ],
)
def test_words_numbers_and_dates_are_not_tokens(text: str):
    """The parts of ordinary addresses stay readable."""
    assert not looks_like_token(text)


@pytest.mark.parametrize(
    "url", [*DEFAULTS.rss_feeds, "https://api.binance.com", "https://www.sec.gov/cgi-bin/x?CIK=320193"]
)
def test_ordinary_urls_have_no_secret(url: str):
    """The default feeds and base URLs are shown as they are."""
    assert not has_secret(url)
    assert mask_urls(f"before {url} after") == f"before {url} after"


@given(token=TOKENS, name=SECRET_NAMES, place=st.sampled_from(["user", "password", "query", "fragment", "any-query"]))
@settings(max_examples=150)
def test_unknown_secret_in_any_recognizable_place_is_masked(token: str, name: str, place: str):
    """A URL that comes from a library or an upstream shows no user, password, secret parameter or token."""
    url = {
        "user": f"https://{token}@host.test/feed",
        "password": f"https://me:{token}@host.test/feed",
        "query": f"https://host.test/feed?a=1&{name}={token}&b=2",
        "fragment": f"https://host.test/feed#{name}={token}",
        "any-query": f"https://host.test/feed?x={token}",
    }[place]
    for text in (url, f"GET {url} failed", repr({"url": url}), f'{{"url":"{url}"}}', url.replace("&", "&amp;")):
        assert token not in mask_urls(text)
        assert "host.test" in mask_urls(text)
    assert has_secret(url)


@given(name=SECRET_NAMES, value=st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8))
@settings(max_examples=50)
def test_secret_parameter_is_masked_whatever_its_value_is(name: str, value: str):
    """A short word can be a password."""
    assert is_secret_name(name)
    assert mask_urls(f"https://h/?{name}={value}&b=2") == f"https://h/?{name}={MASK}&b=2"


@given(token=TOKENS, place=st.sampled_from(["path", "host", "user", "password", "query", "fragment"]))
@settings(max_examples=100)
def test_token_of_any_setting_is_known(token: str, place: str):
    """A token in any part of a URL in the settings is masked in every text, even outside URLs."""
    token = token.lower() if place == "host" else token
    url = {
        "path": f"https://host.test/{token}/rss",
        "host": f"https://{token}.host.test/rss",
        "user": f"https://{token}@host.test/rss",
        "password": f"https://me:{token}@host.test/rss",
        "query": f"https://host.test/rss?u={token}",
        "fragment": f"https://host.test/rss#{token}={token}",
    }[place]
    redact = Redactor(known_secrets(Settings(rss_feeds=[url])))
    assert token not in redact(f"<{token}> '{token}' {url}")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FINANCEHUB_BINANCE_URL", "https://api.test?apikey=hunter2x"),
        ("FINANCEHUB_BINANCE_URL", "https://api.test/?x=hunter2x"),
        ("FINANCEHUB_BINANCE_URL", "https://api.test/#hunter2x"),
        ("FINANCEHUB_BINANCE_URL", "ftp://hunter2x@api.test/"),
        ("FINANCEHUB_BINANCE_URL", "ftp://me:hunter2x@api.test/"),
        ("FINANCEHUB_BINANCE_URL", "https:///hunter2x:a@"),
        ("FINANCEHUB_HTTP_PORT", "http://me:hunter2x@h/"),
        ("FINANCEHUB_SECRET_RSS_FEEDS", "hunter2x"),
        ("FINANCEHUB_SECRET_RSS_FEEDS", "https://h/a\nfile:///hunter2x"),
    ],
)
def test_error_of_an_invalid_url_shows_no_secret(variable: str, value: str):
    """The error names the variable and what is wrong, but not the secret in the value."""
    with pytest.raises(ConfigError) as caught:
        load_settings({variable: value})
    assert str(caught.value).startswith(f"{variable}=")
    assert "hunter2x" not in str(caught.value)


def test_proxy_passwords_are_known(monkeypatch: pytest.MonkeyPatch):
    """The HTTP client takes proxies from the environment, so their passwords are secrets too."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2x%21@proxy.test:3128")
    monkeypatch.setenv("http_proxy", "other3y@proxy.test:3128")
    redact = Redactor(known_secrets(Settings()))
    assert redact("hunter2x! hunter2x%21 other3y") == f"{MASK} {MASK} {MASK}"


@pytest.mark.parametrize(
    "part",
    [
        "https://",
        "http%3A%2F%2F",
        "a.",
        "a-",
        "https://u:",
        "redis://a:",
        "?a=",
        "a=b&",
        "https://u:a/",
        "%3F",
        ":\\/\\/",
    ],
)
def test_mask_urls_of_a_hostile_text_takes_linear_time(part: str):
    """No text of an upstream keeps the interpreter busy: 160 kB took 20 s when the time was quadratic."""
    for text in (part * (100_000 // len(part)), "://%3A=" + part * (100_000 // len(part))):
        started = time.process_time()
        mask_urls(text)
        assert time.process_time() - started < 4


BAD_URLS = {
    "unescaped slash": "https://me:hunter2/secret@a.test/feed",
    "unescaped question mark": "https://me:hunter2?secret@a.test/feed",
    "unescaped number sign": "https://me:hunter2#secret@a.test/feed",
    "port": "https://hunter2.test:hunter2/feed",
    "large port": "https://hunter2.test:99999/feed",
    "bracket": "https://[hunter2/feed",
    "no host": "https:///hunter2",
    "user only": "https://hunter2@/feed",
    "scheme": "ftp://hunter2.test/feed",
}


@pytest.mark.parametrize("name", BAD_URLS)
@pytest.mark.parametrize("variable", ["FINANCEHUB_SECRET_RSS_FEEDS", "FINANCEHUB_RSS_FEEDS"])
def test_url_that_no_client_could_use_is_refused_at_the_start(variable: str, name: str):
    """An invalid URL does not wait for the first fetch, whose error would show a part of its password."""
    with pytest.raises(ConfigError) as refused:
        load_settings({variable: f"https://b.test/feed,{BAD_URLS[name]}"})
    assert "URL 2 " in str(refused.value)
    assert variable in str(refused.value)
    if variable == "FINANCEHUB_SECRET_RSS_FEEDS":
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["https://a.test:port", "https://a.test:99999/x", "https://[a/x", "https://a b.test"])
def test_base_url_that_no_client_could_use_is_refused_at_the_start(url: str):
    """The base URL of a provider is checked in the same way."""
    with pytest.raises(ConfigError, match="FINANCEHUB_BINANCE_URL"):
        load_settings({"FINANCEHUB_BINANCE_URL": url})
