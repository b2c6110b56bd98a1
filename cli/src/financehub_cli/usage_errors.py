"""What users read about a wrong command line: what is wrong, and what to write instead."""

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any

import typer

#: Number of names that a message suggests.
_SUGGESTED = 3


def describe_usage_error(error: typer.TyperException) -> str:
    """Return one line for an error that typer found in the command line.

    Args:
        error: The error. Its class is private in typer, so its kind is known by the name of the class.
    """
    describe = _KINDS.get(type(error).__name__, _other)
    message = describe(error)
    path = getattr(getattr(error, "ctx", None), "command_path", "")
    return f"{message}; see `{path} --help`" if path else message


def _missing_parameter(error: Any) -> str:
    return f"{_name(error.param)} is missing"


def _no_such_option(error: Any) -> str:
    known = [option for parameter in error.ctx.command.params for option in parameter.opts] if error.ctx else []
    return f"unknown option {error.option_name!r}{_near(error.option_name, [*known, '--help'])}"


def _bad_parameter(error: Any) -> str:
    value, problem = _read_message(error.message)
    name = _name(error.param)
    low, high = getattr(error.param, "min", None), getattr(error.param, "max", None)
    limits = {
        (True, True): f" from {low:,} to {high:,}" if low is not None and high is not None else "",
        (True, False): f" of at least {low:,}" if low is not None else "",
        (False, True): f" of at most {high:,}" if high is not None else "",
    }.get((low is not None, high is not None), "")
    if problem == "integer":
        return f"{name} {value}: write a whole number{limits}"
    if problem in {"float", "range"}:
        return f"{name} {value}: write a number{limits}"
    if problem:
        choices = re.findall(r"'([^']+)'", problem)
        near = difflib.get_close_matches(value.strip("'"), choices, n=1)
        return f"{name} {value}: " + (f"did you mean {near[0]}?" if near else f"write {' or '.join(choices)}")
    return f"{name}: {error.message[:1].lower()}{error.message[1:].rstrip('.')}"


def _read_message(message: str) -> tuple[str, str]:
    """Return the value that a message quotes and the kind of the problem, or empty texts for an unknown message."""
    for pattern, kind in (
        (r"(.*) is not a valid integer\.?", "integer"),
        (r"(.*) is not a valid (?:float|number)\.?", "float"),
        (r"(.*) is not in the range .*", "range"),
        (r"(.*) is not one of (.*)", ""),
    ):
        if found := re.fullmatch(pattern, message, re.DOTALL):
            return found[1], kind or found[2]
    return "", ""


def _other(error: Any) -> str:
    message = str(getattr(error, "message", error)).rstrip(".")
    if found := re.match(r"No such command (['\"])(.*?)\1", message, re.DOTALL):
        names = list(getattr(error.ctx.command, "commands", ()))
        hint = _near(found[2], names) or f"; the commands are {', '.join(names)}"
        return f"unknown command {found[2]!r}{hint}"
    if found := re.fullmatch(r"Got unexpected extra arguments? \((.*)\)", message, re.DOTALL):
        return f"unexpected argument: {found[1]}"
    if found := re.fullmatch(r"Option '(.*)' requires (?:an argument|\d+ arguments)", message):
        return f"{found[1]} needs a value"
    if found := re.fullmatch(r"Option '(.*)' does not take a value", message):
        return f"{found[1]} takes no value"
    return f"{message[:1].lower()}{message[1:]}"


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(set(known)), n=_SUGGESTED)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _name(parameter: Any) -> str:
    """Return a parameter as the user writes it: `--limit`, or `SYMBOL` for an argument."""
    if parameter is None:
        return "an argument"
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return str(max(parameter.opts, key=len))


_KINDS: dict[str, Callable[[Any], str]] = {
    "MissingParameter": _missing_parameter,
    "NoSuchOption": _no_such_option,
    "BadParameter": _bad_parameter,
}
