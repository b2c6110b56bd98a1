"""What users read about wrong command lines: no message contains the words of a library."""

import inspect
import re
from typing import Any

import pytest

from financehub_cli.commands.run import run
from financehub_shared.core.catalog import CATALOG

#: Words of typer, click, pydantic and redis-py that say nothing to a user.
_LIBRARY = re.compile(
    r"pydantic|validation error|Traceback|Invalid value|pattern|\^\[|Error:|UsageError|type=|x>=|input_|ValueError",
    re.IGNORECASE,
)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["quots"], "unknown command 'quots'; did you mean quotes?; see `financehub --help`"),
        (["trigger", "x"], "unknown command 'trigger'; did you mean schedules trigger?; see `financehub --help`"),
        (["list"], "did you mean runs list or schedules list or "),
        (["xyz"], "unknown command 'xyz'; the commands are status, workers, "),
        (["assets", "lst"], "unknown command 'lst'; did you mean list?; see `financehub assets --help`"),
        (["quotes", "--jsn"], "unknown option '--jsn'; did you mean --json?; see `financehub quotes --help`"),
        (["quotes", "--qqqqqq"], "unknown option '--qqqqqq'; see `financehub quotes --help`"),
        (["history"], "SYMBOL is missing; see `financehub history --help`"),
        (["assets", "add", "X"], "--type is missing; see `financehub assets add --help`"),
        (["assets", "add", "X", "--type", "stocks"], "--type 'stocks': did you mean stock?"),
        (["assets", "add", "X", "--type", "qq"], "--type 'qq': write crypto or stock"),
        (["news", "--limit", "abc"], "--limit 'abc': write a whole number from 1 to 1,000"),
        (["news", "--limit", "0"], "--limit 0: write a whole number from 1 to 1,000"),
        (["bars", "--last", "-1"], "--last -1: write a whole number of at least 0"),
        (["news", "--limit"], "--limit needs a value"),
        (["quotes", "--watch", "--every", "nan"], "--every 'nan': write a number of at least 0.2"),
        (["quotes", "--watch", "--every", "0"], "--every 0: write a number of at least 0.2"),
        (["quotes", "--format", "cvs"], "--format 'cvs': did you mean csv?"),
        (["history", "A", "B"], "unexpected argument: B"),
        (["quotes", "--json=1"], "--json takes no value"),
        (["assets", "import", "/does/not/exist"], "/does/not/exist: No such file"),
        (["run", "fetch_stock_prices_task", "--arg", "symbols="], "is empty; write a symbol such as BTC-USD, AAPL"),
        (["run", "fetch_stock_prices_task", "--arg", "symbols=["], "should be a list of strings"),
        (["run", "fetch_stock_prices_task", "--arg", "symbols=[1]"], "should be a string, not 1"),
        (["run", "cleanup_old_cache_task", "--arg", "dry_run=maybe"], "should be true or false, not 'maybe'"),
        (["run", "fetch_stock_prices_task", "--arg", "symbols"], "write it as NAME=VALUE"),
        (["run", "fetch_new_task"], "unknown task 'fetch_new_task'; did you mean fetch_news_task?\n"),
        (["quotes", "--format", "csv", "--json"], "--json and --format csv ask for different formats"),
        (["schedules", "pause"], "select all of them with --all, and say why with --reason TEXT"),
        (["schedules", "pause", "x"], "--reason: say why, so that others know when"),
        (["schedules", "pause", "x", "--reason", " "], "--reason ' ': say why, so that others know when"),
        (["schedules", "pause", "x", "--reason", "y" * 201], "--reason: it has 201 characters; write at most 200"),
        (
            ["schedules", "backfill", "x", "--from", "2999-01-01"],
            "--from '2999-01-01': the range must begin in the past",
        ),
        (["schedules", "backfill", "x", "--from", "1999-12-31"], "--from '1999-12-31': the range must begin on"),
        (["schedules", "backfill", "x", "--from", "2026-01-02", "--to", "2026-01-01"], "--to '2026-01-01': the range"),
        (["schedules", "backfill", "x", "--from", "-1d", "--to", "2999-01-01"], "--to '2999-01-01': the range"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_command_line_has_one_line_that_says_what_to_write(
    invoke: Any, redis_client: Any, words: list[str], message: str
) -> None:
    """Stderr has one line with what was read, what is wrong and what to write. Nothing is printed or done."""
    result = invoke(*words, prog_name="financehub")
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("financehub: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not _LIBRARY.search(result.stderr), result.stderr
    assert redis_client.keys("dramatiq*") == []


@pytest.mark.parametrize("url", ["foo", "redis://h:99999", "http://h", "redis://[::1", "redis://h/x"])
def test_wrong_address_of_redis_is_explained(invoke: Any, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The message names the variable and the form of the address, and no expression or class of a library."""
    monkeypatch.setenv("REDIS_URL", url)
    result = invoke("quotes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("financehub: REDIS_URL=(not shown): ")
    assert not _LIBRARY.search(result.stderr), result.stderr


def test_group_without_a_command_shows_its_help(invoke: Any) -> None:
    """`financehub assets` shows what it can do."""
    result = invoke("assets", prog_name="financehub")
    assert result.exit_code == 2
    assert "Usage: financehub assets" in result.output
    assert "import" in result.output


def test_no_argument_of_a_task_has_the_name_of_an_option_of_run() -> None:
    """The message about a wrong value of a parameter with the name of an option names the option."""
    options = inspect.signature(run).parameters
    assert not {name for task in CATALOG.values() for name in task.arguments.model_fields} & set(options)
