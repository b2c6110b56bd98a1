"""How every command ends when something is wrong, and what its help teaches."""

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
from support.redis_server import free_port

COMMANDS = [
    ["status"],
    ["stats"],
    ["quotes"],
    ["indicators"],
    ["bars"],
    ["news"],
    ["assets", "list"],
    ["assets", "add", "X", "--type", "stock"],
    ["assets", "remove", "X"],
    ["run", "fetch_news_task"],
    ["schedules", "list"],
    ["schedules", "show", "x"],
    ["schedules", "trigger", "x"],
    ["schedules", "backfill", "x", "--from", "2026-01-01"],
    ["dead", "list"],
    ["dead", "show", "x"],
    ["dead", "requeue", "x"],
    ["dead", "purge", "--all", "--yes"],
    ["breakers", "list"],
    ["breakers", "open", "binance"],
    ["breakers", "close", "binance"],
    ["breakers", "reset", "binance"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_redis_that_is_away_ends_any_command_with_3_and_one_line(
    invoke: Any, monkeypatch: pytest.MonkeyPatch, command: list[str]
):
    """No traceback, nothing on stdout, and the line says where Redis was looked for, without its password."""
    port = free_port()
    monkeypatch.setenv("REDIS_URL", f"redis://:hunter2@127.0.0.1:{port}/0")
    done = invoke(*command)
    assert done.exit_code == 3, done.exception
    assert done.stdout == ""
    assert done.stderr.startswith("financehub: Redis does not answer: ")
    assert str(port) in done.stderr
    assert "REDIS_URL" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("REDIS_PORT", "abc", "REDIS_PORT='abc'"),
        ("FINANCEHUB_LOG_LEVLE", "INFO", "did you mean FINANCEHUB_LOG_LEVEL?"),
    ],
)
def test_a_wrong_setting_ends_with_2_and_one_line(
    invoke: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
):
    """The line names the variable; no traceback."""
    monkeypatch.setenv(variable, value)
    done = invoke("quotes")
    assert done.exit_code == 2
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_redis_that_refuses_ends_with_3(invoke: Any, redis_client: Any):
    """A key of another type, as any other refusal, is told as one line."""
    redis_client.set("financehub:assets", "no hash")
    done = invoke("assets", "list")
    assert done.exit_code == 3
    assert "WRONGTYPE" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_damaged_record_ends_with_1_and_the_key(invoke: Any, redis_client: Any):
    """What cannot be read is told with its key and the remedy."""
    redis_client.hset("financehub:assets", "AAPL", "{")
    done = invoke("assets", "list")
    assert done.exit_code == 1
    assert "financehub:assets AAPL: is not JSON" in done.stderr
    assert "delete it" in done.stderr


def test_the_installed_command_ends_the_same_way(tmp_path: Path):
    """The entry point itself gives exit code and line, as a shell sees them."""
    command = Path(sys.executable).parent / "financehub"
    environment = {"PATH": os.environ["PATH"], "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    done = subprocess.run([command, "status"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("financehub: Redis does not answer")
    assert subprocess.run([command, "nonsense"], env=environment, capture_output=True, check=False).returncode == 2


def paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from paths(child, (*path, name))


@pytest.mark.parametrize("path", list(paths(typer.main.get_command(app))), ids=" ".join)
def test_the_help_of_every_command_teaches(path: tuple[str, ...]):
    """Each command says what it does, what its JSON holds, and each of its options what it is for."""
    done = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    assert command.help
    if not hasattr(command, "commands"):
        assert "JSON: " in command.help
        described = [each for each in command.params if each.name != "help" and each.param_type_name == "option"]
        assert all(each.help for each in described)


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        ("financehub quotes BT", {"BTC-USD"}),
        ("financehub run fetch_c", {"fetch_crypto_prices_task"}),
        ("financehub bre", {"breakers"}),
    ],
)
def test_the_shell_completes_commands_tasks_and_symbols(invoke: Any, store: Any, line: str, candidates: set[str]):
    """What is typed so far is completed by what there is."""
    asked = {"_FINANCEHUB_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}
    done = invoke(env=asked, prog_name="financehub")
    assert {each for each in candidates if each in done.stdout} == candidates
    assert "AAPL" not in done.stdout


def test_completion_without_redis_is_silent(invoke: Any, monkeypatch: pytest.MonkeyPatch):
    """A shell is not disturbed by a Redis that is away."""
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    asked = {"_FINANCEHUB_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "financehub quotes B"}
    done = invoke(env=asked, prog_name="financehub")
    assert "BTC-USD" not in done.stdout
    assert done.stderr == ""


def test_the_exit_codes_are_documented():
    """The main help lists every exit code."""
    shown = CliRunner().invoke(app, ["--help"]).stdout
    for code in "0123":
        assert f"• {code}: " in shown
