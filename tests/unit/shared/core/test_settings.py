"""Settings: names, defaults, and errors for invalid values."""

from pathlib import Path

import pytest

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.redis_url_parser import parse_redis_url
from financehub_shared.core.settings import BAR_HISTORY_DAYS, BAR_RETENTION_MIN, exit_on_config_error, load_settings
from financehub_shared.providers.bar_fetcher import OUTDATED_DAYS, OVERLAP_DAYS


def test_settings_without_variables_have_required_defaults() -> None:
    """Without any variables, the settings that the requirements specify have the required values."""
    settings = load_settings({})
    assert settings.broker_url == settings.store_url == parse_redis_url("redis://localhost:6379/0")
    assert settings.dramatiq_task_timeout == 300_000
    assert settings.dramatiq_max_retries == 5
    assert settings.dramatiq_retry_backoff is True


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"REDIS_HOST": "r", "REDIS_PORT": "7", "REDIS_DB": "2"}, "redis://r:7/2"),
        ({"REDIS_HOST": "r", "REDIS_PASSWORD": "p@ss"}, "redis://:p%40ss@r:6379/0"),
        ({"REDIS_HOST": "r", "REDIS_URL": "rediss://u:p@h:1/3"}, "rediss://u:p@h:1/3"),
        (
            {"REDIS_URL": "rediss://h/3?ssl_ca_certs=/ca", "REDIS_PASSWORD": "p@ss"},
            "rediss://:p%40ss@h/3?ssl_ca_certs=/ca",
        ),
        ({"REDIS_URL": "redis://u@h", "REDIS_PASSWORD": "p"}, "redis://u:p@h"),
        ({"REDIS_URL": "rediss://h/0?ssl_ca_certs=/a@b", "REDIS_PASSWORD": "p"}, "rediss://:p@h/0?ssl_ca_certs=/a@b"),
        ({"REDIS_URL": "unix:///run/r.sock?db=1", "REDIS_PASSWORD": "p"}, "unix://:p@/run/r.sock?db=1"),
        ({"REDIS_URL": "redis://u:p@h", "REDIS_PASSWORD": "other"}, "redis://u:p@h"),
        ({"REDIS_HOST": "r", "DRAMATIQ_BROKER_URL": "redis://q:2/0"}, "redis://q:2/0"),
        (
            {"REDIS_URL": "redis+sentinel://h/m/0", "REDIS_PASSWORD": "p", "REDIS_SENTINEL_PASSWORD": "s@"},
            "redis+sentinel://:p@h/m/0?sentinel_password=s%40",
        ),
        (
            {"REDIS_URL": "redis+sentinel://h/m/0?sentinel_username=u", "REDIS_SENTINEL_PASSWORD": "s"},
            "redis+sentinel://h/m/0?sentinel_username=u&sentinel_password=s",
        ),
        (
            {"REDIS_URL": "redis+sentinel://h/m/0?sentinel_password=s", "REDIS_SENTINEL_PASSWORD": "other"},
            "redis+sentinel://h/m/0?sentinel_password=s",
        ),
    ],
)
def test_broker_url_with_several_variables_uses_most_specific(environ: dict[str, str], url: str) -> None:
    """DRAMATIQ_BROKER_URL takes precedence over REDIS_URL, and REDIS_URL over host, port, db and password."""
    assert load_settings(environ).broker_url == parse_redis_url(url)


@pytest.mark.parametrize("url", [{}, {"REDIS_URL": "redis://h/0"}, {"REDIS_URL": "unix:///run/redis.sock"}])
def test_password_of_sentinels_without_sentinels_is_refused(url: dict[str, str]) -> None:
    """A password for Sentinels that the URL does not name would have no effect, so it is refused and not shown."""
    with pytest.raises(ConfigError, match=r"PASSWORD=\(not shown\): REDIS_URL does not name") as caught:
        load_settings({**url, "REDIS_SENTINEL_PASSWORD": "s3cret"})
    assert "s3cret" not in str(caught.value)


def test_days_of_bars_fit_together():
    """The cleanup keeps at least the days of a whole history and the days that the next fetch compares."""
    assert load_settings({}).bar_history_days == BAR_HISTORY_DAYS < load_settings({}).bar_retention_days
    assert load_settings({"FINANCEHUB_BAR_RETENTION_DAYS": "100"}).bar_history_days == 100
    assert OUTDATED_DAYS <= BAR_RETENTION_MIN
    assert 2 * OVERLAP_DAYS <= BAR_RETENTION_MIN


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("REDIS_PORT", "abc", "valid integer"),
        ("REDIS_PORT", "70000", "less than or equal to 65535"),
        ("DRAMATIQ_MAX_RETRIES", "-1", "greater than or equal to 0"),
        ("DRAMATIQ_TASK_TIMEOUT", "0", "greater than 0"),
        ("DRAMATIQ_RETRY_BACKOFF", "perhaps", "boolean"),
        ("FINANCEHUB_BAR_RETENTION_DAYS", "29", "greater than or equal to 30"),
        ("FINANCEHUB_BINANCE_URL", "ftp://x", "http"),
        ("FINANCEHUB_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO'"),
        ("FINANCEHUB_INDICATOR_ENGINE", "abacus", "'talib' or 'ta'"),
        ("FINANCEHUB_CRYPTO_PROVIDERS", "binance,bogus", "binance"),
        ("FINANCEHUB_MAX_WORKERS", "high", "'high' should be a name and a number, as in high=5,low=2"),
        ("FINANCEHUB_MAX_WORKERS", "high=", "'high=' should be a name and a number, as in high=5,low=2"),
        ("FINANCEHUB_MAX_WORKERS", "=5", "should be a name and a number, as in high=5,low=2"),
        ("FINANCEHUB_MAX_WORKERS", "low=2,high", "'high' should be a name and a number, as in high=5,low=2"),
        ("FINANCEHUB_MAX_WORKERS", "high=x", "valid integer"),
        ("FINANCEHUB_MAX_WORKERS", "high=2.5", "valid integer"),
        ("FINANCEHUB_MAX_WORKERS", "high=-1", "greater than or equal to 0"),
        ("FINANCEHUB_RELEASE", "", "match pattern"),
        ("FINANCEHUB_RELEASE", "my release", "match pattern"),
        ("FINANCEHUB_RELEASE", 'say"cheese', "match pattern"),
        ("FINANCEHUB_RELEASE", "x" * 64, "match pattern '^[^\\s\\\"\\\\]{1,63}$'"),
        ("FINANCEHUB_NO_SUCH", "1", "unknown variable"),
    ],
)
def test_settings_with_invalid_value_raise_config_error(variable: str, value: str, message: str) -> None:
    """The error for an invalid value is one line with the variable, its value and the allowed values."""
    with pytest.raises(ConfigError) as caught:
        load_settings({variable: value})
    line = str(caught.value)
    assert variable in line
    assert message in line
    assert "\n" not in line
    if variable != "FINANCEHUB_NO_SUCH":
        assert value.rsplit(",", maxsplit=1)[-1] in line


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        ("high=5,low=2", {"high": 5, "low": 2}),
        (" high = 5 , my.tier-2=0 ,", {"high": 5, "my.tier-2": 0}),
        ("", {}),
    ],
)
def test_max_workers_is_parsed_by_queue(value: str, counts: dict[str, int]) -> None:
    """Each queue gets its maximum, and spaces and empty entries are ignored."""
    assert load_settings({"FINANCEHUB_MAX_WORKERS": value}).max_workers == counts


def test_release_accepts_every_name_that_helm_allows() -> None:
    """The release is `local` by default, and the longest name of a Helm release is valid."""
    assert load_settings({}).release == "local"
    for name in ("prices", "a.b-c.1", "x" * 53):
        assert load_settings({"FINANCEHUB_RELEASE": name}).release == name


def test_misspelled_variable_is_refused_with_suggestion() -> None:
    """The error for a misspelled variable suggests the closest known one."""
    with pytest.raises(ConfigError, match="did you mean FINANCEHUB_HTTP_PORT"):
        load_settings({"FINANCEHUB_HTPP_PORT": "8000"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [("REDIS_URL", "http://:hunter2@host"), ("DRAMATIQ_BROKER_URL", "hunter2")],
)
def test_invalid_secret_is_not_shown(variable: str, value: str) -> None:
    """The error does not repeat the value of a setting that may contain a secret."""
    with pytest.raises(ConfigError) as caught:
        load_settings({variable: value})
    assert "hunter2" not in str(caught.value)


def test_mounted_secret_sets_field_unless_environment_does(tmp_path: Path) -> None:
    """A file in the directory of secrets sets its field, unless the environment sets it."""
    (tmp_path / "finnhub_api_key").write_text("from-file\n")
    (tmp_path / "coingecko_api_key").write_text("from-file\n")
    environ = {"FINANCEHUB_SECRETS_DIR": str(tmp_path), "FINANCEHUB_COINGECKO_API_KEY": "from-environment"}
    settings = load_settings(environ)
    assert settings.finnhub_api_key is not None
    assert settings.finnhub_api_key.get_secret_value() == "from-file"
    assert settings.coingecko_api_key is not None
    assert settings.coingecko_api_key.get_secret_value() == "from-environment"


def test_unreadable_secrets_raise_config_error(tmp_path: Path) -> None:
    """A directory that does not exist or a file that is not text is refused, and the error names the variable."""
    (tmp_path / "finnhub_api_key").write_bytes(b"\xff\xfe")
    for folder, message in ((tmp_path / "nowhere", "no such directory"), (tmp_path, "finnhub_api_key cannot be read")):
        with pytest.raises(ConfigError, match=f"FINANCEHUB_SECRETS_DIR.*{message}"):
            load_settings({"FINANCEHUB_SECRETS_DIR": str(folder)})


def test_first_retry_later_than_longest_is_refused() -> None:
    """The delay of the first retry must not exceed the longest delay."""
    with pytest.raises(
        ConfigError, match="FINANCEHUB_RETRY_MIN_SECONDS=400: must be at most FINANCEHUB_RETRY_MAX_SECONDS"
    ):
        load_settings({"FINANCEHUB_RETRY_MIN_SECONDS": "400"})


def test_environment_of_process_is_ignored_if_one_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's variables, in upper or lower case, do not affect settings that are read from a given mapping."""
    monkeypatch.setenv("REDIS_PORT", "1234")
    monkeypatch.setenv("redis_host", "elsewhere")
    assert load_settings({}).store_url == parse_redis_url("redis://localhost:6379/0")


def test_exit_on_config_error_prints_one_line_and_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid setting makes the process exit with code 2 and one line on stderr."""
    with pytest.raises(SystemExit) as ended:
        exit_on_config_error(ConfigError("REDIS_PORT='abc': no"))
    assert ended.value.code == 2
    assert capsys.readouterr().err == "financehub: REDIS_PORT='abc': no\n"
