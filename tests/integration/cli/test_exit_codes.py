"""Tests of the errors, exit codes, help and completion of all commands."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from financehub_cli.app import app
from financehub_cli.exit_codes import ExitCode
from support.redis_server import free_port

COMMANDS = [
    ["status"],
    ["stats"],
    ["quotes"],
    ["history", "X"],
    ["indicators"],
    ["bars"],
    ["news"],
    ["quarantine"],
    ["assets", "list"],
    ["assets", "add", "X", "--type", "stock"],
    ["assets", "remove", "X"],
    ["run", "fetch_news_task"],
    ["version"],
    ["runs", "list"],
    ["runs", "show", "x"],
    ["runs", "again", "x"],
    ["workers"],
    ["schedules", "list"],
    ["schedules", "show", "x"],
    ["schedules", "trigger", "x"],
    ["schedules", "backfill", "x", "--from", "2026-01-01"],
    ["schedules", "pause", "x", "--reason", "maintenance"],
    ["schedules", "resume", "x"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "x"],
    ["dead-letters", "requeue", "x"],
    ["dead-letters", "purge", "--all", "--yes"],
    ["breakers", "list"],
    ["breakers", "open", "binance"],
    ["breakers", "close", "binance"],
    ["breakers", "reset", "binance"],
    ["assets", "import", "deploy/local/assets.yaml"],
    ["assets", "export"],
    ["redis", "copy", "redis://127.0.0.1:1/0"],
]
#: Commands that need no Redis.
WITHOUT_REDIS = [["schedules", "validate", "deploy/local/schedules"], ["config"]]


def _command_names(app: typer.Typer) -> set[tuple[str, ...]]:
    """Return the words of every command of the application."""
    group = typer.main.get_group(app)
    return {
        (name, *words)
        for name, command in group.commands.items()
        for words in ([(sub,) for sub in command.commands] if hasattr(command, "commands") else [()])
    }


def test_commands_of_these_tests_are_all_commands() -> None:
    """The list above contains every command of the application, so that the tests below omit none."""
    names = _command_names(app)
    listed = [*COMMANDS, *WITHOUT_REDIS]
    assert {next(name for name in names if tuple(command[: len(name)]) == name) for command in listed} == names


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_with_unavailable_redis_exits_with_3(invoke: Any, monkeypatch: pytest.MonkeyPatch, command: list[str]):
    """One line on stderr names the address of Redis without its password. Stdout is empty."""
    port = free_port()
    monkeypatch.setenv("REDIS_URL", f"redis://:hunter2@127.0.0.1:{port}/0")
    result = invoke(*command)
    assert result.exit_code == 3, result.exception
    assert result.stdout == ""
    assert result.stderr.startswith("financehub: Redis does not answer: ")
    assert str(port) in result.stderr
    assert "REDIS_URL" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize("command", WITHOUT_REDIS, ids=" ".join)
def test_command_that_needs_no_redis_succeeds_without_one(
    invoke: Any, monkeypatch: pytest.MonkeyPatch, command: list[str]
):
    """It does not even read the settings, unless it shows them."""
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    if command != ["config"]:
        monkeypatch.setenv("REDIS_PORT", "abc")
    result = invoke(*command)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("REDIS_PORT", "abc", "REDIS_PORT='abc'"),
        ("FINANCEHUB_LOG_LEVLE", "INFO", "did you mean FINANCEHUB_LOG_LEVEL?"),
    ],
)
def test_command_with_invalid_setting_exits_with_2(
    invoke: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
):
    """One line on stderr names the environment variable."""
    monkeypatch.setenv(variable, value)
    result = invoke("quotes")
    assert result.exit_code == 2
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1


def test_command_refused_by_redis_exits_with_3(invoke: Any, redis_client: Any):
    """If Redis refuses a command, because its memory is full, stderr has one line with the cause and the remedy."""
    redis_client.config_set("maxmemory", 1)
    try:
        result = invoke("assets", "add", "BTC-USD", "--type", "crypto", "--no-fetch")
    finally:
        redis_client.config_set("maxmemory", 0)
    assert result.exit_code == 3
    assert result.stderr.startswith("financehub: Redis is full and refuses writes; raise its maxmemory")
    assert result.stderr.count("\n") == 1


def test_command_with_damaged_record_exits_with_1(invoke: Any, redis_client: Any):
    """The message names the key of the unreadable record and how to repair it, and all other records are shown."""
    redis_client.hset("financehub:assets", "AAPL", "{")
    redis_client.hset("financehub:assets", "VOD.L", '{"type":"stock","name":"Vodafone","currency":"GBP"}')
    result = invoke("assets", "list")
    assert result.exit_code == 1
    assert "financehub:assets AAPL: is not JSON" in result.stderr
    assert "`financehub assets add AAPL --type crypto` (or stock)" in result.stderr
    assert "Vodafone" in result.stdout


def test_installed_command_has_the_same_exit_codes(tmp_path: Path):
    """The installed command, started from a shell, returns the documented exit codes and messages."""
    command = Path(sys.executable).parent / "financehub"
    environment = {"PATH": os.environ["PATH"], "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    result = subprocess.run([command, "status"], env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("financehub: Redis does not answer")
    assert subprocess.run([command, "unknown"], env=environment, capture_output=True, check=False).returncode == 2


def command_paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every command and group."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from command_paths(child, (*path, name))


@pytest.mark.parametrize("path", list(command_paths(typer.main.get_command(app))), ids=" ".join)
def test_help_describes_command_json_and_every_parameter(path: tuple[str, ...]):
    """Each command's help says what the command does and what its JSON contains, and describes each parameter."""
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    assert command.help
    if not hasattr(command, "commands"):
        assert "JSON: " in command.help
        assert [parameter.name for parameter in command.params if not parameter.help] == []


def test_help_lists_every_exit_code():
    """The main help lists every exit code."""
    shown = CliRunner().invoke(app, ["--help"]).stdout
    for code in ExitCode:
        assert f"    {code}: " in shown


@pytest.mark.parametrize(
    ("line", "candidate"),
    [
        ("financehub quotes BT", "BTC-USD"),
        ("financehub run fetch_c", "fetch_crypto_prices_task"),
        ("financehub bre", "breakers"),
    ],
)
def test_completion_offers_commands_tasks_and_symbols(invoke: Any, store: Any, line: str, candidate: str):
    """The shell completes commands, catalog tasks and stored symbols, and offers only those that match."""
    environment = {"_FINANCEHUB_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}
    result = invoke(env=environment, prog_name="financehub")
    assert candidate in result.stdout
    assert "AAPL" not in result.stdout


@pytest.mark.parametrize("command", ["quotes B", "breakers open b", "schedules show d"])
def test_completion_without_redis_is_silent(invoke: Any, monkeypatch: pytest.MonkeyPatch, command: str):
    """If Redis is unavailable, completion offers no names and prints no error."""
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    environment = {"_FINANCEHUB_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": f"financehub {command}"}
    result = invoke(env=environment, prog_name="financehub")
    assert "BTC-USD" not in result.stdout
    assert result.stderr == ""
