"""The settings of readers, which are read without the library of the settings if that is possible."""

from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.reader_settings import DefaultSettings, read_default_settings
from financehub_shared.core.settings import load_settings

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
NUMBERS = st.sampled_from(["0", "6379", "65535", "65536", "-1", "007", "1_0", " 5", "x", "", "99999999999"])
ENVIRONMENTS = st.fixed_dictionaries(
    {},
    optional={
        "REDIS_URL": URLS,
        "DRAMATIQ_BROKER_URL": URLS,
        "REDIS_HOST": st.sampled_from(["localhost", "::1", "a b", "redis://h", ""]),
        "REDIS_PORT": NUMBERS,
        "REDIS_DB": NUMBERS,
        "REDIS_PASSWORD": st.just("secret"),
        "REDIS_PORT_6379_TCP": st.just("tcp://10.0.0.1:6379"),
        "DRAMATIQ_MAX_RETRIES": NUMBERS,
        "FINANCEHUB_RELEASE": st.sampled_from(["prod", "a b"]),
        "FINANCEHUB_MAX_MESSAGE_BYTES": st.just("5000"),
        "FINANCEHUB_TYPO": st.just("1"),
        "PATH": st.just("/bin"),
    },
)


@given(ENVIRONMENTS)
def test_default_settings_are_those_of_the_settings(environ: dict[str, str]) -> None:
    """If the settings are read without their library, they are the same. An invalid setting is left to the library."""
    read = read_default_settings(environ)
    if read is None:
        return
    settings = load_settings(environ)
    for name in DefaultSettings.__dataclass_fields__:
        assert getattr(read, name) == getattr(settings, name) or (
            not getattr(read, name) and not getattr(settings, name)
        )


@given(ENVIRONMENTS)
def test_invalid_settings_are_refused_by_the_library(environ: dict[str, str]) -> None:
    """No environment that the library refuses is accepted."""
    try:
        load_settings(environ)
    except ConfigError:
        assert read_default_settings(environ) is None


def test_plain_addresses_need_no_library() -> None:
    """The usual environments of users are read directly."""
    for environ in ({}, {"REDIS_URL": "redis://h:1/2"}, {"REDIS_HOST": "h", "REDIS_PORT": "1"}, {"PATH": "/bin"}):
        assert read_default_settings(environ) is not None
