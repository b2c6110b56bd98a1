"""What users read about a wrong command line: what is wrong, and what to write instead."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import typer


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
    message = error.message.rstrip(".")
    # the messages of `conversion` begin with the word in question, and those of typer with a capital letter
    return f"{_name(error.param)} {message}" if message[:1] in "'\"-0123456789" else f"{_name(error.param)}: {message}"


def _in_groups(word: str, context: Any) -> str:
    """Return a hint if groups of commands have a command of this name, such as `schedules trigger` for `trigger`."""
    groups = {name: context.command.get_command(context, name) for name in getattr(context.command, "commands", ())}
    found = [f"{name} {word}" for name, group in groups.items() if word in getattr(group, "commands", ())]
    return f"; did you mean {' or '.join(found)}?" if found else ""


def _other(error: Any) -> str:
    message = str(getattr(error, "message", error)).rstrip(".")
    if found := re.match(r"No such command (['\"])(.*?)\1", message, re.DOTALL):
        names = list(getattr(error.ctx.command, "commands", ()))
        hint = _near(found[2], names) or _in_groups(found[2], error.ctx) or f"; the commands are {', '.join(names)}"
        return f"unknown command {found[2]!r}{hint}"
    if found := re.fullmatch(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)", message, re.DOTALL):
        return f"unexpected argument: {found[1]}"
    if found := re.fullmatch(r"Option '(.*)' requires (?:an argument|\d+ arguments)", message):
        return f"{found[1]} needs a value"
    if found := re.fullmatch(r"Option '(.*)' does not take a value", message):
        return f"{found[1]} takes no value"
    return f"{message[:1].lower()}{message[1:]}"


def _near(name: str, known: Iterable[str]) -> str:
    from financehub_shared.core.near_names import similar_names

    near = similar_names(name, sorted(set(known)))
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
