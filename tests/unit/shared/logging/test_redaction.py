"""The masking of secrets in every form."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.settings import load_settings
from financehub_shared.logging.redaction import MASK, SHORTEST_SECRET, Redactor, known_secrets

SECRET = 'p"ss/w\\rd é'


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        json.dumps({"password": SECRET}),
        json.dumps({"password": SECRET}, ensure_ascii=False),
        repr({"password": SECRET}),
        f"https://example.org/?a={quote(SECRET, safe='')}",
        f"redis://user:{quote(SECRET, safe='')}@host:6379/0",
        f"before {SECRET} between {SECRET} after",
    ],
)
def test_redactor_masks_known_secret_in_every_form(text: str) -> None:
    """A known secret is masked in plain text, in JSON, in a repr and in a URL."""
    redacted = Redactor([SECRET])(text)
    assert SECRET not in redacted
    assert quote(SECRET, safe="") not in redacted
    assert json.dumps(SECRET)[1:-1] not in redacted
    assert MASK in redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://user:hunter2@host:6379/0", f"redis://user:{MASK}@host:6379/0"),
        ("rediss://:hunter2@host", f"rediss://:{MASK}@host"),
        ("'http://a:b@h/p' and 'http://c:d@h'", f"'http://{MASK}@h/p' and 'http://{MASK}@h'"),
        ("https://t0ken@h/p", f"https://{MASK}@h/p"),
        ("https://t0ken:x-oauth-basic@h/p", f"https://{MASK}@h/p"),
        ("https://a:b/c@h/p", f"https://a:{MASK}@h/p"),
        ("https://a:b@c@h/p", f"https://{MASK}@h/p"),
        ('{"url":"https:\\/\\/a:b@h\\/p"}', f'{{"url":"https:\\/\\/{MASK}@h\\/p"}}'),
        ("https://p/?u=https%3A%2F%2Fa%3Ab%40h%2F", f"https://p/?u=https%3A%2F%2F{MASK}%40h%2F"),
        ("https://h/?accessToken=1&X-Amz-Signature=2", f"https://h/?accessToken={MASK}&X-Amz-Signature={MASK}"),
        ("https://h/?a=1&amp;apikey=2", f"https://h/?a=1&amp;apikey={MASK}"),
        ("https://h/?a=1\\u0026api_key=2", f"https://h/?a=1\\u0026api_key={MASK}"),
        ("https://h/?q=0123456789abcdef0123", f"https://h/?q={MASK}"),
        ("https://h/#access_token=a.b-c", f"https://h/#access_token={MASK}"),
        (
            "https://h/?symbols=BTC-USD&period1=1700000000&interval=1d",
            "https://h/?symbols=BTC-USD&period1=1700000000&interval=1d",
        ),
        ("https://h/?monkey=banana&author=me", "https://h/?monkey=banana&author=me"),
        ("GET /quote?symbol=AAPL&token=abc", f"GET /quote?symbol=AAPL&token={MASK}"),
        ("https://h/?x_cg_demo_api_key=CG-1&ids=bitcoin", f"https://h/?x_cg_demo_api_key={MASK}&ids=bitcoin"),
        ("https://h/?apikey=1&crumb=q", f"https://h/?apikey={MASK}&crumb={MASK}"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("http://localhost:8000/a@b", "http://localhost:8000/a@b"),
        ("monkey=banana", "monkey=banana"),
        ("symbols=BTC-USD", "symbols=BTC-USD"),
    ],
)
def test_redactor_masks_unknown_secrets_in_urls(text: str, expected: str) -> None:
    """Passwords in URLs and keys in query strings are masked even if they are unknown, but nothing else is masked."""
    assert Redactor()(text) == expected


def test_known_secrets_contains_every_secret_of_settings() -> None:
    """The known secrets are the secret fields and the passwords in URLs, both encoded and decoded."""
    settings = load_settings(
        {
            "REDIS_URL": "redis://u:one%2Fone@h:1/0",
            "DRAMATIQ_BROKER_URL": "redis://:two@h:1/0",
            "REDIS_PASSWORD": "three",
            "FINANCEHUB_FINNHUB_API_KEY": "four",
            "FINANCEHUB_COINGECKO_API_KEY": "five",
        }
    )
    assert known_secrets(settings) == {"one%2Fone", "one/one", "two", "three", "four", "five"}


def test_redactor_masks_very_short_secret_in_urls_only() -> None:
    """A secret below the minimum length is masked in URLs only, because it occurs in many lines by chance."""
    redact = Redactor(["a"])
    assert redact("a banana") == "a banana"
    assert redact("redis://:a@h") == f"redis://:{MASK}@h"


@given(secret=st.text(min_size=SHORTEST_SECRET, max_size=40), before=st.text(max_size=20), after=st.text(max_size=20))
def test_redactor_with_any_surroundings_masks_secret(secret: str, before: str, after: str) -> None:
    """Regardless of the surrounding text, the redacted line has no secret, unless the mask itself contains it."""
    if secret not in MASK and MASK not in secret:
        redacted = Redactor([secret])(f"{before}\x00{secret}\x00{after}")
        assert f"\x00{secret}\x00" not in redacted
