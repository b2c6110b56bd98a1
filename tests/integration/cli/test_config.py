"""Tests of `config`: the settings in force with their source, and no secret (C10)."""

from pathlib import Path
from typing import Any

import pytest

from financehub_shared.core.settings import SECRET_FIELDS, variables

SECRETS = {
    "FINANCEHUB_FINNHUB_API_KEY": "k3y-of-finnhub",
    "REDIS_PASSWORD": "p4ss-of-redis",
    "FINANCEHUB_SECRET_RSS_FEEDS": "https://feeds.example.com/t0ken-of-feed",
    "REDIS_URL": "redis://me:p4ss-in-url@127.0.0.1:6399/0",
    "DRAMATIQ_BROKER_URL": "redis://:br0ker-pass@127.0.0.1:6398/0",
    "FINANCEHUB_RSS_FEEDS": "https://u:p4ss-of-feed@feeds.example.com/?token=qu3ry-token",
}
PARTS = ("k3y-of", "p4ss-", "t0ken-of", "br0ker-pass", "qu3ry-token")


def test_config_shows_every_setting_with_its_source(cli: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A value comes from the environment, a file of the secrets, or the default, in this order."""
    (tmp_path / "finnhub_api_key").write_text("from-a-file\n")
    monkeypatch.setenv("FINANCEHUB_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("FINANCEHUB_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("FINANCEHUB_MAX_WORKERS", "high=5, low=2")
    shown = {row["name"]: row for row in cli("config")}
    by_place = sorted(variables(), key=lambda name: shown[name]["source"] == "default")
    assert list(shown) == by_place, "those that somebody has set come first"
    assert (shown["FINANCEHUB_LOG_LEVEL"]["value"], shown["FINANCEHUB_LOG_LEVEL"]["source"]) == ("DEBUG", "environment")
    key = shown["FINANCEHUB_FINNHUB_API_KEY"]
    assert (key["value"], key["source"], key["secret"]) == ("(hidden)", "file", True)
    assert (shown["FINANCEHUB_HTTP_PORT"]["value"], shown["FINANCEHUB_HTTP_PORT"]["source"]) == ("8000", "default")
    assert shown["FINANCEHUB_MAX_WORKERS"]["value"] == "high=5,low=2"
    assert shown["FINANCEHUB_SIMULATED"]["value"] == "false"
    changed = [row["name"] for row in cli("config", "--changed")]
    assert changed == [name for name, row in shown.items() if row["source"] != "default"]


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--wide"], ["--format", "csv"]], ids=" ".join)
def test_config_shows_no_part_of_a_secret(invoke: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """Keys, passwords, and the secret parts of URLs are hidden in every format, and the rest of an address is shown."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    result = invoke("config", *arguments)
    assert result.exit_code == 0, result.stderr
    assert [part for part in PARTS if part in result.output] == []
    assert "127.0.0.1:6399" in result.stdout
    assert "feeds.example.com" in result.stdout


def test_every_secret_setting_is_marked(cli: Any) -> None:
    """The settings that a mounted Secret can set are secrets."""
    fields = variables()
    assert {fields[row["name"]] for row in cli("config") if row["secret"]} == set(SECRET_FIELDS)


def test_config_of_named_settings(cli: Any, invoke: Any) -> None:
    """A setting is named by its variable or its field, and a typo has near names (C7)."""
    rows = cli("config", "log_level", "FINANCEHUB_HTTP_PORT", "redis_url")
    assert [row["name"] for row in rows] == ["REDIS_URL", "FINANCEHUB_LOG_LEVEL", "FINANCEHUB_HTTP_PORT"]
    wrong = invoke("config", "FINANCEHUB_LOG_LEVLE")
    assert wrong.exit_code == 2
    assert "unknown setting 'FINANCEHUB_LOG_LEVLE'; did you mean FINANCEHUB_LOG_LEVEL" in wrong.stderr


def test_config_with_an_invalid_setting_names_it(invoke: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid setting is a usage error, as in every other command."""
    monkeypatch.setenv("FINANCEHUB_HTTP_PORT", "x")
    result = invoke("config")
    assert result.exit_code == 2
    assert "FINANCEHUB_HTTP_PORT='x'" in result.stderr
