"""The ACL of docs/redis.md is sufficient for every process, every command and every list of the API."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from financehub_cli.app import app
from financehub_shared.core.settings import load_settings
from financehub_shared.monitor import TaskMonitor
from financehub_shared.redis import queue_keys
from financehub_shared.worker.actors import enqueue
from financehub_shared.worker.build import build_broker
from support.fleet import Fleet
from support.redis_binaries import SERVERS
from support.redis_server import PATIENT_SECONDS, RedisServer
from support.simulator import RunningSimulator
from support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

DOCUMENT = Path(__file__).parents[3] / "docs/redis.md"
TASKS = {
    "fetch_crypto_prices_task": "@every 2s",
    "fetch_stock_prices_task": "@every 2s",
    "fetch_news_task": "@every 3s",
    "calculate_indicators_task": "@every 3s",
    "cleanup_old_cache_task": "@every 3s",
    "cleanup_failed_tasks_task": "@every 3s",
    "health_check_task": "@every 2s",
}
#: Commands of the CLI, with LETTER for the id of a dead letter and FILE for an assets file. Some exit with code 1,
#: because the data is not complete yet.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("workers",),
    ("stats",),
    ("quotes",),
    ("indicators", "BTC-USD"),
    ("bars", "BTC-USD"),
    ("history", "BTC-USD"),
    ("bars", "BTC-USD", "--refetch"),
    ("news",),
    ("quarantine",),
    ("assets", "list"),
    ("assets", "add", "SOL-USD", "--type", "crypto"),
    ("assets", "remove", "SOL-USD"),
    ("assets", "import", "FILE"),
    ("assets", "export"),
    ("breakers", "list"),
    ("breakers", "open", "binance"),
    ("breakers", "close", "binance"),
    ("breakers", "reset", "binance"),
    ("schedules", "list"),
    ("schedules", "show", "health-check-task"),
    ("schedules", "validate", "deploy/local/schedules"),
    ("schedules", "trigger", "health-check-task"),
    ("schedules", "backfill", "health-check-task", "--from", "2026-01-05T00:00:00Z", "--to", "2026-01-05T00:00:04Z"),
    ("schedules", "pause", "health-check-task", "--reason", "maintenance"),
    ("schedules", "resume", "health-check-task"),
    ("schedules", "pause", "--all", "--reason", "maintenance"),
    ("schedules", "resume", "--all"),
    ("run", "health_check_task"),
    ("version",),
    ("config",),
    ("runs", "list", "--queue", "low"),
    ("runs", "show", "RUN"),
    ("runs", "again", "RUN"),
    ("dead-letters", "list"),
    ("dead-letters", "show", "LETTER"),
    ("dead-letters", "requeue", "--all", "--yes"),
    ("dead-letters", "purge", "--all", "--yes"),
    ("redis", "copy", "redis://127.0.0.1:1/0"),
)


def documented_rules() -> list[str]:
    """Return the arguments of the documented ACL SETUSER, with the password `secret`."""
    (block,) = re.findall(r"```\n(ACL SETUSER .*?)```", DOCUMENT.read_text(), re.DOTALL)
    return [word.replace("PASSWORD", "secret") for word in block.split()]


def all_commands() -> set[tuple[str, ...]]:
    """Return the words of each command that the CLI has, such as `("assets", "list")`."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        children = getattr(command, "commands", {})
        if not children:
            yield words
        for name, child in children.items():
            yield from below(child, (*words, name))

    return set(below(get_command(app), ()))


def names_of(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of a command line that name the command."""
    known = all_commands()
    return command[:1] if command[:1] in known else command[:2]


def assets_file(folder: Path) -> Path:
    """Write an assets file and return its path."""
    file = folder / "imported.yaml"
    file.write_text("assets:\n  - {symbol: DOGE-USD, type: crypto}\n")
    return file


def read_everything(url: str) -> None:
    """Read the pages of the console and each list of the API."""
    with httpx.Client(base_url=url, timeout=PATIENT_SECONDS, follow_redirects=True) as client:
        eventually(lambda: client.get("/").is_success, "the console answers", ignored=httpx.TransportError)
        paths = client.get("/api/v1/openapi.json").json()["paths"]
        lists = [path for path, methods in paths.items() if "get" in methods and "{" not in path]
        assert len(lists) > 10
        for path in lists:
            # One of them is a stream, which has no end.
            with client.stream("GET", path) as answer:
                next(answer.iter_bytes(), b"")
                assert not answer.is_server_error, (path, answer.status_code)


@pytest.mark.parametrize("version", SERVERS)
def test_documented_acl_is_sufficient_for_the_fleet(
    tmp_path: Path, simulator: RunningSimulator, redis_server: Callable[..., RedisServer], version: str
) -> None:
    """No process, no command of the CLI and no list of the API is denied a command or a key."""
    server = redis_server(server=version)
    with server.client() as admin:
        admin.execute_command(*documented_rules())
        user_url = server.url.replace("//", "//financehub:secret@")
        running = Fleet(tmp_path, server, simulator, {"REDIS_URL": user_url})
        try:
            for task, schedule in TASKS.items():
                running.schedule(task.replace("_", "-"), task, schedule)
            running.start_scheduler()
            for tier in ("high", "medium", "low"):
                running.start_tier(tier)
            monitor = TaskMonitor(admin)
            eventually(
                lambda: all((stats := monitor.get_all_stats().get(task)) and stats.succeeded >= 1 for task in TASKS),
                "every task succeeds",
                within=150,
            )
            enqueue(build_broker(load_settings({"REDIS_URL": user_url})), "no_such_task", queue="low")
            eventually(lambda: admin.zcard(queue_keys.dead("low")), "a dead letter")
            assert {names_of(command) for command in COMMANDS} == all_commands()
            (letter,) = admin.zrange(queue_keys.dead("low"), 0, -1)
            (run, *_) = monitor.get_recent_runs("health_check_task")
            values = {"RUN": run.message_id, "LETTER": letter.decode(), "FILE": str(assets_file(tmp_path))}
            for command in COMMANDS:
                words = [values.get(word, word) for word in command]
                done = CliRunner().invoke(app, words, env={"REDIS_URL": user_url})
                # 2 is an invalid argument, 3 a refusal of Redis, and any other exception is a traceback
                assert done.exit_code in {0, 1}, (command, done.output, done.exception)
                assert done.exception is None or isinstance(done.exception, SystemExit), (command, done.exception)
            read_everything(running.start_web())
            running.terminate("high")  # requeues, and removes its heartbeat
            denied = [(entry["reason"], entry["object"], entry["context"]) for entry in admin.acl_log()]
        finally:
            running.stop()
    assert denied == []


def test_denied_command_is_one_problem_with_the_remedy(
    tmp_path: Path, simulator: RunningSimulator, redis_server: Callable[..., RedisServer]
) -> None:
    """A user without rights on the keys causes one line in the log and a reason in readiness and status."""
    server = redis_server()
    with server.client() as admin:
        rules = [rule for rule in documented_rules() if rule != "~financehub:*"]
        admin.execute_command(*rules)
    running = Fleet(tmp_path, server, simulator, {"REDIS_URL": server.url.replace("//", "//financehub:secret@")})
    try:
        running.start_scheduler()
        reason: str = eventually(
            lambda: (text := str(running.get("scheduler", "/readyz").get("problems"))).count("denies this") and text,
            "not ready with the cause",
        )
        assert "denies this user a command" in reason
        assert "docs/redis.md" in reason
        assert running.get("scheduler", "/livez")["problems"] == []
        assert running.log("scheduler").count('"problem":"denied"') == 1
        assert running.health("scheduler")["status"] == "down"
    finally:
        running.stop()
