"""Converts the words of a command line to the types of parameters, and says what to write instead of a wrong word.

Typer would build a pydantic model for each parameter. Importing pydantic takes half of the CPU time of a command.
"""

import difflib
import math
from enum import Enum
from functools import partial
from typing import Any, get_args, get_origin

import typer


def use_plain_conversion(parameters: list[Any]) -> list[Any]:
    """Let parameters of typer convert their words with this module, if it knows their types, and return them.

    Args:
        parameters: The parameters. Those of other types, such as paths, remain with typer.
    """
    for parameter in parameters:
        annotation = parameter.type_descriptor.annotation
        is_list = get_origin(annotation) is list
        kind = get_args(annotation)[0] if is_list else annotation
        if kind in {str, int, float, bool} or (isinstance(kind, type) and issubclass(kind, Enum)):
            parameter.get_runtime_param = partial(_Conversion, kind, is_list=is_list)
    return parameters


class _Conversion:
    """The conversion of one parameter, in the form in which typer calls it."""

    def __init__(self, kind: type[Any], *, is_list: bool) -> None:
        self._kind = kind
        self._is_list = is_list

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return a value of the parameter's type.

        Raises:
            BadParameter: The word has no such value.
        """
        if value is None:
            return () if self._is_list else None
        if self._is_list:
            return [self._convert(each, param, ctx) for each in value]
        return self._convert(value, param, ctx)

    def _convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if self._kind in {str, bool} or isinstance(value, self._kind):
            converted: Any = value
        elif issubclass(self._kind, Enum):
            converted = _choose(str(value), self._kind, param, ctx)
        else:
            converted = _read_number(str(value), self._kind, param, ctx)
        if self._kind in {int, float}:
            _check_limits(converted, param, ctx)
        return converted


def _choose(word: str, kind: type[Enum], param: Any, ctx: Any) -> Enum:
    choices = {str(choice.value): choice for choice in kind}
    if word in choices:
        return choices[word]
    near = difflib.get_close_matches(word.lower(), choices, n=1)
    advice = f"did you mean {near[0]}?" if near else f"write {_listed(list(choices))}"
    raise typer.BadParameter(f"{word!r}: {advice}", ctx=ctx, param=param)


def _read_number(word: str, kind: type[Any], param: Any, ctx: Any) -> Any:
    try:
        number = kind(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise typer.BadParameter(f"{word!r}: write a {_wanted(kind, param)}", ctx=ctx, param=param)
    return number


def _check_limits(number: float, param: Any, ctx: Any) -> None:
    if (param.min is not None and number < param.min) or (param.max is not None and number > param.max):
        raise typer.BadParameter(f"{number:g}: write a {_wanted(type(number), param)}", ctx=ctx, param=param)


def _wanted(kind: type[Any], param: Any) -> str:
    name = "whole number" if kind is int else "number"
    if param.min is not None and param.max is not None:
        return f"{name} from {param.min:,} to {param.max:,}"
    if param.min is not None:
        return f"{name} of at least {param.min:,}"
    return f"{name} of at most {param.max:,}" if param.max is not None else name


def _listed(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
