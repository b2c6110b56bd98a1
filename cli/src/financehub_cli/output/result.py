"""Prints a command's result once or until Ctrl-C: as tables for people, or as JSON or CSV for scripts."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import typer

from financehub_cli.exit_codes import ExitCode, describe_error, is_handled, print_message
from financehub_cli.output.options import OUTPUT, Format
from financehub_cli.output.records import sort_records
from financehub_cli.output.screen import Screen, ending_at_signals
from financehub_cli.output.terminal import Content, content_lines, is_unicode, read_terminal, write
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.text import dump_json


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A command's result.

    Args:
        data: The result for scripts, which is JSON-serializable. The command's help documents it.
        content: The same result for people. A string has its own line feeds, and its untrusted parts are escaped.
        notes: Lines for stderr.
        code: The command's exit code.
    """

    data: Any
    content: Content
    notes: Sequence[str] = field(default_factory=list)
    code: ExitCode = ExitCode.OK


def print_result(result: CommandResult, *, as_json: bool) -> None:
    """Print a result and exit with its code."""
    _print(result, as_json=as_json, indent=2)
    if result.code:
        raise typer.Exit(result.code)


def print_or_watch(collect: Callable[[], CommandResult], *, as_json: bool, watch: bool, interval: float) -> None:
    """Print a result once, or again after every interval until Ctrl-C.

    If Redis becomes unavailable meanwhile, each refresh reports this and the command continues.

    Args:
        collect: Collects the result. It is called once per refresh.
        as_json: Whether to print JSON.
        watch: Whether to continue until Ctrl-C.
        interval: Seconds between two refreshes.

    Raises:
        ConfigError: CSV is to be printed again and again.
    """
    if not watch:
        print_result(collect(), as_json=as_json)
        return
    if OUTPUT.get().format is Format.CSV:
        raise ConfigError("--watch prints tables or JSON; remove --watch or --format csv")
    screen = Screen() if sys.stdout.isatty() and not _as_json(as_json=as_json) else None
    try:
        with ending_at_signals() if screen else nullcontext():
            while True:
                _refresh(collect, screen, as_json=as_json)
                time.sleep(interval)
    except KeyboardInterrupt:
        return
    finally:
        if screen:
            screen.close()


def _refresh(collect: Callable[[], CommandResult], screen: Screen | None, *, as_json: bool) -> None:
    try:
        result = _sorted(collect())
    except Exception as error:
        code, message = describe_error(error) if is_handled(error) else (ExitCode.FAILED, "")
        if code is not ExitCode.UNAVAILABLE:
            raise
        if screen:
            screen.show_problem(message)
        else:
            print_message(message)
        return
    if screen:
        screen.show(result.content, result.notes)
    else:
        _print(result, as_json=as_json, indent=None)


def _as_json(*, as_json: bool) -> bool:
    return as_json or OUTPUT.get().format is Format.JSON


def _sorted(result: CommandResult) -> CommandResult:
    sort = OUTPUT.get().sort
    if not sort or not isinstance(result.data, list):
        return result
    data, content = sort_records(result.data, result.content, sort)
    return replace(result, data=data, content=content)


def _print(result: CommandResult, *, as_json: bool, indent: int | None) -> None:
    for note in result.notes:
        print_message(note)
    options = OUTPUT.get()
    result = _sorted(result)
    if _as_json(as_json=as_json):
        write(dump_json(result.data, indent=indent, ascii_only=not is_unicode(sys.stdout)) + "\n")
    elif options.format is Format.CSV:
        write(_csv(result.data, options.view))
    else:
        write("".join(f"{line}\n" for line in content_lines(result.content, read_terminal(wide=options.wide))))


def _csv(data: Any, view: type[Any] | None) -> str:
    from financehub_shared.views.csv_text import to_csv

    records = data if isinstance(data, list) else [data]
    keys = view.__annotations__ if isinstance(data, list) and view else (key for row in records for key in row)
    names = list(dict.fromkeys(keys))
    return to_csv(records, names, for_spreadsheets=False)
