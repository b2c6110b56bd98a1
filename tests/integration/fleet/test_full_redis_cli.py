"""Commands of the CLI on a full Redis: reads and deletions work, and other writes name the cause."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dramatiq import Message
from typer.testing import CliRunner, Result

from financehub_cli.app import app
from financehub_shared.redis import keys, queue_keys
from support.fleet import Fleet
from support.redis_server import RedisServer
from support.simulator import RunningSimulator

pytestmark = pytest.mark.faults

READS: tuple[tuple[str, ...], ...] = (
    ("quotes",),
    ("news",),
    ("indicators",),
    ("quarantine",),
    ("schedules", "list"),
    ("assets", "list"),
    ("breakers", "list"),
    ("dead-letters", "list"),
    ("stats",),
)


def invoke(fleet: Fleet, *arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, list(arguments), env={"REDIS_URL": fleet.server.url})


@pytest.fixture
def full(tmp_path: Path, simulator: RunningSimulator, redis_server: Callable[..., RedisServer]) -> Fleet:
    """A fleet without processes whose Redis has an asset and three dead letters, and is full."""
    fleet = Fleet(tmp_path, redis_server(), simulator)
    assert invoke(fleet, "assets", "import", str(fleet.assets)).exit_code == 0
    with fleet.redis() as client:
        for number in range(3):
            message: Message[object] = Message("low", "health_check_task", (), {}, {}, message_id=f"letter-{number}")
            client.zadd(queue_keys.dead("low"), {f"letter-{number}": 1_000 + number})
            client.hset(queue_keys.dead_messages("low"), f"letter-{number}", message.encode())
        client.config_set("maxmemory", 1)
    return fleet


def test_reads_of_a_full_redis_work(full: Fleet) -> None:
    """Every command that only reads works, and `status` names the cause."""
    for command in READS:
        assert invoke(full, *command).exit_code == 0, command
    report = json.loads(invoke(full, "status", "--json").stdout)
    assert report["status"] == "down"
    assert any("is full and refuses writes: it uses" in problem for problem in report["problems"])


def test_deletions_in_a_full_redis_work(full: Fleet) -> None:
    """A user can free memory: dead letters and assets are deleted, and a dead letter is requeued."""
    assert invoke(full, "dead-letters", "requeue", "letter-0").exit_code == 0
    assert invoke(full, "dead-letters", "purge", "letter-1").exit_code == 0
    assert invoke(full, "dead-letters", "purge", "--all", "--yes").exit_code == 0
    assert invoke(full, "assets", "remove", "AAPL").exit_code == 0
    with full.redis() as client:
        assert client.exists(queue_keys.dead_messages("low")) == 0
        assert client.llen(queue_keys.ready("low")) == 1
        assert not client.hexists(keys.ASSETS, "AAPL")


@pytest.mark.parametrize(
    "command",
    [("run", "health_check_task"), ("assets", "add", "SOL-USD", "--type", "crypto"), ("breakers", "open", "binance")],
)
def test_other_writes_to_a_full_redis_name_the_cause(full: Fleet, command: tuple[str, ...]) -> None:
    """The command fails with one line that says that Redis is full and what to do."""
    result = invoke(full, *command)
    assert result.exit_code == 3, result
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("financehub: Redis is full and refuses writes"), line
    assert "raise its maxmemory" in line
