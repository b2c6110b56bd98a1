"""Logs secrets in every way, and checks that none of them is in the output."""

import io
import logging
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import structlog

from financehub_shared.core.errors import AuthFailedError
from financehub_shared.core.settings import load_settings

ENVIRON = {
    "REDIS_URL": "redis://user:url-passw0rd%21@redis.example:6379/0",
    "DRAMATIQ_BROKER_URL": "rediss://:broker-passw0rd@broker.example:6380/1",
    "REDIS_PASSWORD": "plain-passw0rd",
    "FINANCEHUB_FINNHUB_API_KEY": "finnhub-k3y",
    "FINANCEHUB_COINGECKO_API_KEY": "coingecko-k3y",
}
SECRETS = ["url-passw0rd", "broker-passw0rd", "plain-passw0rd", "finnhub-k3y", "coingecko-k3y"]


@dataclass
class Holder:
    """An object whose repr shows a secret."""

    key: str


def _fail(error: Exception) -> None:
    raise error


def _nested_failure(url: str) -> None:
    try:
        _fail(ConnectionError(f"cannot reach {url}"))
    except ConnectionError as error:
        raise AuthFailedError("finnhub", f"401 for https://finnhub.io/quote?token=finnhub-k3y {error}") from error


@pytest.mark.parametrize("format", ["json", "console"])
def test_logged_secrets_are_masked_in_every_line(configured: Callable[..., io.StringIO], format: str) -> None:
    """Settings, URLs, records, exceptions and tracebacks are logged, and the output contains no secret."""
    stream = configured(**ENVIRON, FINANCEHUB_LOG_FORMAT=format)
    settings = load_settings(ENVIRON)
    ours, theirs = structlog.get_logger("ours"), logging.getLogger("theirs")
    ours.info("settings", settings=settings, dump=settings.model_dump(), json=settings.model_dump_json())
    ours.info("urls", store=settings.store_url, broker=settings.broker_url, nested={"list": [settings.broker_url]})
    ours.info("values", holder=Holder("finnhub-k3y"), secret=settings.finnhub_api_key.get_secret_value())  # type: ignore[union-attr]
    ours.info(f"event with {settings.store_url}")
    theirs.warning("Error connecting to %s with %r", settings.store_url, Holder("coingecko-k3y"))
    for log in (ours, theirs):
        try:
            _nested_failure(settings.broker_url)
        except AuthFailedError:
            log.exception("failed with %s", settings.store_url)
    output = stream.getvalue()
    assert output.count("***") > 10
    assert [secret for secret in SECRETS if secret in output] == []
