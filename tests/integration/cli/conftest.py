"""Fixtures that run the command line on a real Redis."""

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
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.redis_store import RedisStore

Cli = Callable[..., Any]

CRYPTO = Asset("BTC-USD", AssetType.CRYPTO, "Bitcoin")
DECLARED_STOCK = Asset("AAPL", AssetType.STOCK, "Apple", declared=True)
INACTIVE_STOCK = Asset("OLD", AssetType.STOCK, active=False)


@pytest.fixture
def invoke(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in this process. The result has exit_code, stdout and stderr."""
    for name in list(os.environ):
        if name.startswith(("FINANCEHUB_", "REDIS_", "DRAMATIQ_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return lambda *arguments, **options: CliRunner().invoke(app, [str(each) for each in arguments], **options)


@pytest.fixture
def cli(invoke: Cli) -> Cli:
    """Run a command with --json and return its JSON. `code` is the expected exit code."""

    def run(*arguments: object, code: int = 0) -> Any:
        result = invoke(*arguments, "--json")
        assert result.exit_code == code, f"{result.stderr}\n{result.exception!r}"
        return json.loads(result.stdout)

    return run


@pytest.fixture
def shell(invoke: Cli) -> Cli:
    """Run the installed command in its own process.

    A test uses it while a worker in the test's process logs to the stdout of that process.
    """
    command = Path(sys.executable).parent / "financehub"

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([command, *arguments], capture_output=True, text=True, check=False, timeout=180)

    return run


@pytest.fixture
def store(redis_client: redis.Redis) -> RedisStore:
    """The store that the commands read, with a cryptocurrency, a declared stock and an inactive stock."""
    store = RedisStore(redis_client)
    store.put_assets([CRYPTO, DECLARED_STOCK, INACTIVE_STOCK])
    return store
