"""Settings: names, defaults, and one clear line for what is wrong."""

from pathlib import Path

import pytest

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import exit_on_config_error, load_settings


def test_defaults_are_those_of_the_design() -> None:
    """Without any variable, the settings that the design fixes have the values it fixes."""
    settings = load_settings({})
    assert settings.broker_url == settings.store_url == "redis://localhost:6379/0"
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
    ],
)
def test_broker_url_comes_from_the_most_specific_variable(environ: dict[str, str], url: str) -> None:
    """DRAMATIQ_BROKER_URL wins over REDIS_URL, which wins over host, port, db and password."""
    assert load_settings(environ).broker_url == url


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("REDIS_PORT", "abc", "valid integer"),
        ("REDIS_PORT", "70000", "less than or equal to 65535"),
        ("DRAMATIQ_MAX_RETRIES", "-1", "greater than or equal to 0"),
        ("DRAMATIQ_TASK_TIMEOUT", "0", "greater than 0"),
        ("DRAMATIQ_RETRY_BACKOFF", "perhaps", "boolean"),
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
def test_a_wrong_value_names_variable_value_and_what_is_allowed(variable: str, value: str, says: str) -> None:
    """A wrong setting ends in one line with the variable, its value and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        load_settings({variable: value})
    line = str(caught.value)
    assert variable in line
    assert says in line
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
def test_the_most_workers_are_read_by_queue(value: str, counts: dict[str, int]) -> None:
    """Each queue has its number; spaces and an empty part mean nothing."""
    assert load_settings({"FINANCEHUB_MAX_WORKERS": value}).max_workers == counts


def test_a_release_may_have_any_name_that_helm_allows() -> None:
    """Without the variable it is `local`; the longest name of a Helm release fits."""
    assert load_settings({}).release == "local"
    for name in ("prices", "a.b-c.1", "x" * 53):
        assert load_settings({"FINANCEHUB_RELEASE": name}).release == name


def test_an_unknown_variable_close_to_a_known_one_is_answered_with_it() -> None:
    """A misspelt variable is answered with the nearest known one."""
    with pytest.raises(ConfigError, match="did you mean FINANCEHUB_HTTP_PORT"):
        load_settings({"FINANCEHUB_HTPP_PORT": "8000"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [("REDIS_URL", "http://:hunter2@host"), ("DRAMATIQ_BROKER_URL", "hunter2")],
)
def test_a_wrong_secret_is_never_shown(variable: str, value: str) -> None:
    """The value of a setting that may hold a secret is not repeated in the message."""
    with pytest.raises(ConfigError) as caught:
        load_settings({variable: value})
    assert "hunter2" not in str(caught.value)


def test_secrets_come_from_mounted_files_and_the_environment_wins(tmp_path: Path) -> None:
    """A file of the secrets folder sets its field unless the environment does."""
    (tmp_path / "finnhub_api_key").write_text("from-file\n")
    (tmp_path / "coingecko_api_key").write_text("from-file\n")
    environ = {"FINANCEHUB_SECRETS_DIR": str(tmp_path), "FINANCEHUB_COINGECKO_API_KEY": "from-environment"}
    settings = load_settings(environ)
    assert settings.finnhub_api_key is not None
    assert settings.finnhub_api_key.get_secret_value() == "from-file"
    assert settings.coingecko_api_key is not None
    assert settings.coingecko_api_key.get_secret_value() == "from-environment"


def test_secrets_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """A folder that is not there, or a file that is no text, is one line that names the variable."""
    (tmp_path / "finnhub_api_key").write_bytes(b"\xff\xfe")
    for folder, says in ((tmp_path / "nowhere", "no such directory"), (tmp_path, "finnhub_api_key cannot be read")):
        with pytest.raises(ConfigError, match=f"FINANCEHUB_SECRETS_DIR.*{says}"):
            load_settings({"FINANCEHUB_SECRETS_DIR": str(folder)})


def test_retries_that_contradict_each_other_are_refused() -> None:
    """The first retry cannot come later than the longest wait."""
    with pytest.raises(ConfigError, match="FINANCEHUB_RETRY_MIN_SECONDS=400: at most FINANCEHUB_RETRY_MAX_SECONDS"):
        load_settings({"FINANCEHUB_RETRY_MIN_SECONDS": "400"})


def test_only_the_environment_that_is_handed_in_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process itself has in its environment, in whatever spelling, does not mix in."""
    monkeypatch.setenv("REDIS_PORT", "1234")
    monkeypatch.setenv("redis_host", "elsewhere")
    assert load_settings({}).store_url == "redis://localhost:6379/0"


def test_the_process_ends_with_one_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong setting ends the process with exit code 2 and one line on stderr."""
    with pytest.raises(SystemExit) as ended:
        exit_on_config_error(ConfigError("REDIS_PORT='abc': no"))
    assert ended.value.code == 2
    assert capsys.readouterr().err == "financehub: REDIS_PORT='abc': no\n"
