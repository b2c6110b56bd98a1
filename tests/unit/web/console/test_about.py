"""Tests of the settings that the page About shows."""

from pathlib import Path

from financehub_shared.core.settings import SECRET_FIELDS, load_settings, variables
from financehub_web.console.about import setting_rows


def test_settings_have_their_source_and_no_secret(tmp_path: Path) -> None:
    """Every setting is listed once with its source, and no part of a secret is in any row."""
    (tmp_path / "finnhub_api_key").write_text("mounted-secret")
    environ = {
        "REDIS_URL": "redis://alice:secret-1@redis.example:6379/3",
        "FINANCEHUB_SECRETS_DIR": str(tmp_path),
        "FINANCEHUB_SECRET_RSS_FEEDS": "https://feeds.example/?key=secret-2",
        "FINANCEHUB_WEB_PORT": "9000",
    }
    settings = load_settings(environ)
    rows = {row.variable: row for row in setting_rows(settings, environ)}
    assert list(rows) == sorted(variables())
    assert (rows["FINANCEHUB_WEB_PORT"].value, rows["FINANCEHUB_WEB_PORT"].source) == ("9000", "environment")
    assert rows["FINANCEHUB_WEB_MODE"].source == ""
    assert rows["FINANCEHUB_WEB_MODE"].description
    assert rows["REDIS_URL"].value == "redis.example:6379"
    assert rows["FINANCEHUB_FINNHUB_API_KEY"].value == "hidden"
    assert rows["FINANCEHUB_FINNHUB_API_KEY"].source == f"file {tmp_path}/finnhub_api_key"
    assert rows["FINANCEHUB_SECRET_RSS_FEEDS"].value == "hidden"
    assert "secret-" not in str(rows)
    assert "mounted-secret" not in str(rows)
    assert set(SECRET_FIELDS) <= set(variables().values())
