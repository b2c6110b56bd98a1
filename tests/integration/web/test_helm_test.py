"""Tests of the script with which `helm test` opens the console: as the chart starts it, against a real console."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from support.chart import render
from support.web_server import WebServer, serving

_PREFIX = "/financehub"
_TOKENS = {"auth": {"existingSecret": "web-tokens"}}


def _run(url: str, values: dict[str, Any], *, seconds: int = 30) -> tuple[int, str]:
    """Run the command of the test of a release with these values, with another host and port.

    Args:
        url: The address of the console, without a prefix.
        values: The values of the section `web`.
        seconds: Seconds within which the test must succeed.

    Returns:
        The exit code and the output.
    """
    (container,) = render({"web": values}).one("Pod", "financehub-test-web")["spec"]["containers"]
    python, option, script, address, users, limit = container["command"]
    assert (python, option, limit) == ("python", "-c", "60")
    assert address.startswith("http://financehub-web:80")
    address = address.replace("http://financehub-web:80", url)
    # A proxy of the environment must not be used.
    environment = os.environ | {"http_proxy": "http://127.0.0.1:1"}
    command = [sys.executable, "-c", script, address, users, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stderr == ""
    return done.returncode, done.stdout


def _tokens(folder: Path) -> Path:
    file = folder / "tokens.yaml"
    file.write_text(f"- {{name: bob, role: viewer, sha256: '{'0' * 64}'}}", encoding="utf-8")
    return file


def test_console_that_everybody_may_read_passes(server: WebServer) -> None:
    """The test opens the first page, its style, the quotes and the health report."""
    assert _run(server.url, {}) == (0, f"{server.url}: the console and the API answer\n")


def test_console_below_a_prefix_passes(filled: redis.Redis, redis_url: str) -> None:
    """The test opens the addresses below the prefix, and so does the first page."""
    assert filled.ping()
    with serving(redis_url, web_prefix=_PREFIX) as server:
        assert _run(server.url, {"prefix": _PREFIX})[0] == 0


def test_console_with_users_passes_by_refusing(filled: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    """With users, the test has no token, so a console that refuses its requests is right."""
    assert filled.ping()
    with serving(redis_url, web_tokens_file=_tokens(tmp_path)) as server:
        assert _run(server.url, _TOKENS) == (0, f"{server.url}: the console and the API ask for a user\n")


@pytest.mark.parametrize(
    ("settings", "values", "named"),
    [
        ({}, _TOKENS, "status 200 instead of 401"),
        ({"web_tokens_file": True}, {}, "status 401"),
        ({"web_prefix": _PREFIX}, {}, "the console has another prefix"),
        ({}, {"prefix": _PREFIX}, "status 404"),
        ({"web_hosts": ["market.example.com"]}, {}, "status 421"),
    ],
    ids=["open to everybody", "unexpected users", "unexpected prefix", "missing prefix", "refused host name"],
)
def test_console_with_other_settings_fails(
    filled: redis.Redis, redis_url: str, tmp_path: Path, settings: dict[str, Any], values: dict[str, Any], named: str
) -> None:
    """If the console does not have the settings of the values, the test fails and its output names the answer."""
    assert filled.ping()
    if "web_tokens_file" in settings:
        settings = {"web_tokens_file": _tokens(tmp_path)}
    with serving(redis_url, **settings) as server:
        code, output = _run(server.url, values, seconds=0)
    assert code == 1
    assert named in output


def test_console_that_is_away_fails_with_its_address() -> None:
    """If nothing listens, the output has the address and the error of the connection."""
    code, output = _run("http://127.0.0.1:1", {}, seconds=0)
    assert code == 1
    assert output.startswith("http://127.0.0.1:1: ")
    assert "refused" in output
