"""Tests the settings with host names and origins of the console."""

import pytest

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import load_settings


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("fin.example.com", ["fin.example.com"]),
        ("Fin.Example.com., localhost", ["fin.example.com", "localhost"]),
        ("127.0.0.1,::1,[::1],[2001:DB8::0001]", ["127.0.0.1", "::1", "::1", "2001:db8::1"]),
        ("my_host", ["my_host"]),
        ("", []),
    ],
)
def test_host_names_are_kept_as_requests_name_them(text: str, names: list[str]) -> None:
    """A name matches the header `Host`, however an operator writes it."""
    assert load_settings({"FINANCEHUB_WEB_HOSTS": text}).web_hosts == names


@pytest.mark.parametrize(
    "text",
    ["fin.example.com:8000", "https://fin.example.com", "fin.example.com/x", "[::1]:80", "*", "*.example.com", "a b"],
)
def test_host_name_that_could_never_match_is_refused(text: str) -> None:
    """A name with a scheme, a port, a path or a pattern would refuse every request, so the process says why."""
    with pytest.raises(ConfigError, match=r"FINANCEHUB_WEB_HOSTS.*without scheme, port and path"):
        load_settings({"FINANCEHUB_WEB_HOSTS": text})


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://app.example.com", ["https://app.example.com"]),
        ("HTTPS://App.Example.com:443,http://localhost:3000", ["https://app.example.com", "http://localhost:3000"]),
        ("http://[::1]:80,http://[::1]:3000", ["http://[::1]", "http://[::1]:3000"]),
    ],
)
def test_origins_are_kept_as_browsers_send_them(text: str, origins: list[str]) -> None:
    """Browsers send lower case and no default port."""
    assert load_settings({"FINANCEHUB_WEB_ORIGINS": text}).web_origins == origins


@pytest.mark.parametrize(
    "text",
    [
        "https://app.example.com/",
        "https://app.example.com/x",
        "https://app.example.com?",
        "https://user@app.example.com",
        "https://app.example.com:x",
        "http://[",
        "https://",
        "app.example.com",
        "ftp://app.example.com",
        "null",
        "*",
    ],
)
def test_origin_that_no_browser_sends_is_refused(text: str) -> None:
    """An origin with a path would never match, and one that is a pattern would allow more than it says."""
    with pytest.raises(ConfigError, match=r"FINANCEHUB_WEB_ORIGINS.*is not an origin"):
        load_settings({"FINANCEHUB_WEB_ORIGINS": text})
