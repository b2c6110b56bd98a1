"""The real command line on a real Redis."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from financehub_cli.app import app
from financehub_shared.core.models import Asset, AssetType
from financehub_shared.market.redis_store import RedisStore

Cli = Callable[..., Any]

BTC = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin")
AAPL = Asset("AAPL", AssetType.STOCK, "Apple", declared=True)
OLD = Asset("OLD", AssetType.STOCK, active=False)


@pytest.fixture
def invoke(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command; the result has exit_code, stdout and stderr."""
    for name in list(os.environ):
        if name.startswith(("FINANCEHUB_", "REDIS_", "DRAMATIQ_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return lambda *arguments, **more: CliRunner().invoke(app, [str(each) for each in arguments], **more)


@pytest.fixture
def cli(invoke: Cli) -> Cli:
    """Run a command with --json and return what it says; `code` is the exit code it must end with."""

    def run(*arguments: object, code: int = 0) -> Any:
        done = invoke(*arguments, "--json")
        assert done.exit_code == code, f"{done.stderr}\n{done.exception!r}"
        return json.loads(done.stdout)

    return run


@pytest.fixture
def shell(invoke: Cli) -> Cli:
    """The installed command as a process of its own, beside a worker in this one that logs to the same stdout."""
    command = Path(sys.executable).parent / "financehub"

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([command, *arguments], capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture
def store(redis_client: redis.Redis) -> RedisStore:
    """The store behind the command, with one coin, one declared and one inactive stock."""
    store = RedisStore(redis_client)
    store.put_assets([BTC, AAPL, OLD])
    return store
