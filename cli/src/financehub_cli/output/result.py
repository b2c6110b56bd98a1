"""Prints a command's result once or until Ctrl-C, as tables for people or as JSON for scripts."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
import typer
from rich.console import RenderableType
from rich.live import Live

from financehub_cli.exit_codes import ExitCode, describe_error, print_message
from financehub_cli.output.terminal import build_console, is_unicode, plain_text
from financehub_shared.core.errors import FinanceHubError
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
    content: RenderableType
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
    """
    if not watch:
        print_result(collect(), as_json=as_json)
        return
    live = Live(console=build_console(), auto_refresh=False) if sys.stdout.isatty() and not as_json else None
    try:
        if live:
            live.start()
        while True:
            _refresh(collect, live, as_json=as_json)
            time.sleep(interval)
    except KeyboardInterrupt:
        return
    finally:
        if live:
            live.stop()


def _refresh(collect: Callable[[], CommandResult], live: Live | None, *, as_json: bool) -> None:
    try:
        result = collect()
    except (FinanceHubError, redis.RedisError) as error:
        code, message = describe_error(error)
        if code is not ExitCode.UNAVAILABLE:
            raise
        print_message(message)
        return
    if live:
        live.update(result.content, refresh=True)
    else:
        _print(result, as_json=as_json, indent=None)


def _print(result: CommandResult, *, as_json: bool, indent: int | None) -> None:
    for note in result.notes:
        print_message(note)
    if as_json:
        sys.stdout.write(dump_json(result.data, indent=indent, ascii_only=not is_unicode(sys.stdout)) + "\n")
        sys.stdout.flush()
    else:
        content = result.content
        build_console().print(plain_text(content, keep_lines=True) if isinstance(content, str) else content)
