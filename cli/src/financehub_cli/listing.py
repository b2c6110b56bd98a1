"""Decorators that give a command the options of its output: `--format`, `--sort` and `--wide`."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from financehub_cli.output.options import OUTPUT, Format, OutputOptions
from financehub_shared.core.errors import ConfigError

FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="How to print the result; the default is table. The columns of CSV are the keys of the JSON.",
    ),
]
SortOption = Annotated[
    str,
    typer.Option(
        "--sort", metavar="KEY", help="Sort by a key of the JSON, such as symbol, or by -symbol for the reverse order."
    ),
]
WideOption = Annotated[
    bool, typer.Option("--wide", help="Show all columns of tables, even if lines are longer than the terminal is wide.")
]

_WIDE = {"wide": (WideOption, False)}
_LISTING = {"format": (FormatOption, None), "sort": (SortOption, "")}


def listing(view: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator for a command that lists records.

    Args:
        view: The view of one record, whose keys are the columns of CSV and the keys for sorting.
    """
    return lambda function: _with_options(function, _LISTING | _WIDE, view)


def tables(function: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command that shows tables but does not list records."""
    return _with_options(function, _WIDE, None)


def _with_options(
    function: Callable[..., None], options: dict[str, tuple[Any, Any]], view: type[Any] | None
) -> Callable[..., None]:
    signature = inspect.signature(function)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in options.items()
    ]

    @functools.wraps(function)
    def command(**arguments: Any) -> None:
        chosen = {name: arguments.pop(name) for name in options if name in arguments}
        chosen["format"] = _format(chosen.get("format"), as_json=arguments.get("as_json", False))
        output = OutputOptions(view=view, **chosen)
        if output.sort and view is not None:
            from financehub_cli.output.records import check_sort_key

            check_sort_key(output.sort, view)
        token = OUTPUT.set(output)
        try:
            function(**arguments)
        finally:
            OUTPUT.reset(token)

    command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *added])  # type: ignore[attr-defined]
    command.__annotations__ = function.__annotations__ | {name: annotation for name, (annotation, _) in options.items()}
    return command


def _format(wanted: Format | None, *, as_json: bool) -> Format:
    """Return the format of the result.

    Args:
        wanted: The value of `--format`; None if the user has not written it.
        as_json: Whether the user has written `--json`.

    Raises:
        ConfigError: The two options ask for different formats.
    """
    if as_json and wanted not in {None, Format.JSON}:
        raise ConfigError(f"--json and --format {wanted} ask for different formats; remove one of them")
    return Format.JSON if as_json else wanted or Format.TABLE
