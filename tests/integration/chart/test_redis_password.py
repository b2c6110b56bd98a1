"""What the chart's Redis pod makes of a password, in a real shell and a real redis-server."""

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
from support.redis_server import binary, free_port
from support.schedules import eventually

PASSWORDS = ['q"uote', "back\\slash\\n", "'single' $HOME `id` %s", "p@ss/w:rd?#&", "ümlaut", " blank "]


@functools.cache
def rendered() -> str:
    """What the container runs."""
    (container,) = render().one("StatefulSet", "financehub-redis")["spec"]["template"]["spec"]["containers"]
    shell, option, script = container["command"]
    assert (shell, option) == ("sh", "-c")
    return str(script)


def script(folder: Path, port: int) -> str:
    """The same, with its folders and its program replaced by ours."""
    script = rendered()
    (folder / "redis.conf").write_text(f'port {port}\nbind 127.0.0.1\ndir "{folder}"\nsave ""\n', encoding="utf-8")
    for theirs, ours in (
        ("exec redis-server ", f"exec {binary()} "),
        ("/etc/redis", str(folder)),
        ("/run/redis", str(folder)),
    ):
        assert theirs in script
        script = script.replace(theirs, ours)
    return script


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_opens_redis(tmp_path: Path, password: str) -> None:
    """Whatever characters a password of the user's has, our processes reach Redis with it and nobody does without."""
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


def test_a_line_break_is_named(tmp_path: Path) -> None:
    """A password that was written into its Secret with a line break, which no client would send, is told of."""
    ended = subprocess.run(
        ["sh", "-c", script(tmp_path, free_port())],
        env={**os.environ, "REDISCLI_AUTH": "secret\n"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "Secret financehub-redis holds a line break" in line
    assert "secret\n" not in ended.stderr
