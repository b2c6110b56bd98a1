"""The settings of readers, which are read without the library of the settings if that is possible."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.reader_settings import PlainSettings, read_plain_settings
from financehub_shared.core.settings import load_settings, variables

URLS = st.sampled_from(
    [
        "redis://localhost:6379/0",
        "rediss://u:p%40@redis.example.com:1/2",
        "unix:///run/redis.sock?db=3",
        "redis+sentinel://a,b/mymaster/1",
        "foo",
        "",
        "redis://h:99999",
    ]
)
#: A folder without a file `redis_password`.
FOLDER = str(Path(__file__).parent)
NUMBERS = st.sampled_from(["0", "6379", "65535", "65536", "-1", "007", "1_0", " 5", "x", "", "99999999999"])
ENVIRONMENTS = st.fixed_dictionaries(
    {},
    optional={
        "REDIS_URL": URLS,
        "DRAMATIQ_BROKER_URL": URLS,
        "REDIS_HOST": st.sampled_from(["localhost", "::1", "a b", "redis://h", ""]),
        "REDIS_PORT": NUMBERS,
        "REDIS_DB": NUMBERS,
        "REDIS_PASSWORD": st.sampled_from(["secret", "", "a\nb", "\udcff"]),
        "REDIS_SENTINEL_PASSWORD": st.sampled_from(["secret", "", "a\nb"]),
        "FINANCEHUB_HEARTBEAT_TIMEOUT_SECONDS": st.sampled_from(["90", "0", "1.5", "1e3", "inf", "-1", "x", ""]),
        "FINANCEHUB_IDLE_TIERS": st.sampled_from(["high, low", "", ",", " medium ,"]),
        "FINANCEHUB_ACCEPTED_REDIS_PROBLEMS": st.sampled_from(["aof-off, eviction", "", "no-such-code", "AOF-OFF"]),
        "FINANCEHUB_RUN_RETENTION_DAYS": NUMBERS,
        "FINANCEHUB_MAX_MESSAGE_BYTES": st.sampled_from(["5000", "4096", "4095", "5_000", "x"]),
        "FINANCEHUB_SECRETS_DIR": st.sampled_from([FOLDER, f"{FOLDER}/absent", "", "\0"]),
        "FINANCEHUB_RELEASE": st.sampled_from(["prod", "a b"]),
        "FINANCEHUB_TYPO": st.just("1"),
        "DRAMATIQ_MAX_RETRIES": NUMBERS,
        "REDIS_PORT_6379_TCP": st.just("tcp://10.0.0.1:6379"),
        "PATH": st.just("/bin"),
    },
)
#: Settings that readers do not need, so that an invalid value of them does not end a command that only reads.
NOT_READ = {"FINANCEHUB_RELEASE", "DRAMATIQ_MAX_RETRIES"}


@given(ENVIRONMENTS)
def test_plain_settings_are_those_of_the_library(environ: dict[str, str]) -> None:
    """If the settings are read without their library, they are the same. An invalid setting is left to the library."""
    read = read_plain_settings(environ)
    try:
        settings = load_settings({name: value for name, value in environ.items() if name not in NOT_READ})
    except ConfigError:
        assert read is None
        return
    if read is not None:
        for name in PlainSettings.__dataclass_fields__:
            assert getattr(read, name) == getattr(settings, name)
        assert read.store_url.secrets == settings.store_url.secrets
        assert read.store_url.sentinel_login == settings.store_url.sentinel_login


@pytest.mark.parametrize("content", ["from-a-file\n", "", "a\x07b", b"\xff"])
@pytest.mark.parametrize("field", ["redis_password", "redis_sentinel_password"])
def test_mounted_password_is_that_of_the_library(tmp_path: Path, field: str, content: str | bytes) -> None:
    """The password of a mounted Secret is the same in both ways, and an invalid one is left to the library."""
    (tmp_path / field).write_bytes(content if isinstance(content, bytes) else content.encode())
    environ = {"FINANCEHUB_SECRETS_DIR": str(tmp_path), "REDIS_URL": "redis+sentinel://a,b/mymaster/1"}
    read = read_plain_settings(environ)
    try:
        expected = load_settings(environ).store_url
    except ConfigError:
        assert read is None
        return
    assert read is not None
    assert read.store_url == expected


def test_usual_environments_need_no_library() -> None:
    """The environments of users and of pods, which set every setting with its default, are read directly."""
    pod = {"REDIS_PASSWORD": "s", "FINANCEHUB_SECRETS_DIR": FOLDER, "FINANCEHUB_IDLE_TIERS": "low"}
    pod |= {name: "7000" for name in variables() if name.endswith(("_DAYS", "_SECONDS", "_BYTES"))}
    plain = [{}, {"REDIS_URL": "redis://h:1/2"}, {"REDIS_HOST": "h", "REDIS_PORT": "1"}, {"PATH": "/bin"}]
    for environ in [*plain, pod]:
        assert read_plain_settings(environ) is not None
