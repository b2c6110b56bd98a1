"""Tests that the chart's Redis start script handles any password, in a real shell with a real redis-server."""

import functools
import os
import subprocess
from pathlib import Path

import pytest
import redis

from financehub_shared.core.settings import load_settings
from financehub_shared.redis.client import connect
from support.chart import render
from support.processes import end, launch
from support.redis_binaries import redis_server_binary
from support.redis_server import free_port
from support.waiting import eventually

PASSWORDS = ['q"uote', "back\\slash\\n", "'single' $HOME `id` %s", "p@ss/w:rd?#&", "ümlaut", " blank "]


@functools.cache
def rendered() -> str:
    """Return the script that the container runs."""
    (container,) = render().one("StatefulSet", "financehub-redis")["spec"]["template"]["spec"]["containers"]
    shell, option, script = container["command"]
    assert (shell, option) == ("sh", "-c")
    return str(script)


def script(folder: Path, port: int) -> str:
    """Return the same script with this test's folders and program."""
    adapted = rendered()
    (folder / "redis.conf").write_text(f'port {port}\nbind 127.0.0.1\ndir "{folder}"\nsave ""\n', encoding="utf-8")
    for original, replacement in (
        ("exec redis-server ", f"exec {redis_server_binary()} "),
        ("/etc/redis", str(folder)),
        ("/run/redis", str(folder)),
    ):
        assert original in adapted
        adapted = adapted.replace(original, replacement)
    return adapted


@pytest.mark.parametrize("password", PASSWORDS)
def test_redis_with_any_password_accepts_only_that_password(tmp_path: Path, password: str) -> None:
    """With special characters in the password, FinanceHub connects with it, and nobody can connect without it."""
    port = free_port()
    process = launch(["sh", "-c", script(tmp_path, port)], env={**os.environ, "REDISCLI_AUTH": password})
    try:
        settings = load_settings({"REDIS_URL": f"redis://127.0.0.1:{port}/0", "REDIS_PASSWORD": password})

        def answers() -> bool:
            with connect(settings.broker_url, retries=0) as client:
                try:
                    return bool(client.ping())
                except redis.AuthenticationError:
                    raise
                except redis.ConnectionError:
                    return False

        eventually(answers, "Redis answers")
        with connect(f"redis://127.0.0.1:{port}/0", retries=0) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    finally:
        end(process)


def test_password_with_a_line_break_is_refused(tmp_path: Path) -> None:
    """If the password contains a line break, which no client would send, the pod fails with a clear message."""
    ended = subprocess.run(
        ["sh", "-c", script(tmp_path, free_port())],
        env={**os.environ, "REDISCLI_AUTH": "secret\n"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "Secret financehub-redis contains a line break" in line
    assert "secret\n" not in ended.stderr
