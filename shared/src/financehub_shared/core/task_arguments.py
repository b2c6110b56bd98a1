"""The arguments of the tasks in the catalog: their models, and what users read about invalid ones."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.symbols.pattern import SYMBOL_PATTERN
from financehub_shared.core.symbols.spelling import find_spellings

Symbol = Annotated[str, StringConstraints(pattern=SYMBOL_PATTERN)]


class NoArguments(BaseModel):
    """Arguments of a task that takes no arguments."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SymbolArguments(NoArguments):
    """Arguments of a task that can be limited to some assets."""

    symbols: list[Symbol] | None = Field(default=None, min_length=1, max_length=10_000)


class NewsArguments(NoArguments):
    """Arguments of the news task, which can be limited to some sources by name."""

    sources: list[str] | None = Field(default=None, min_length=1, max_length=100)


class CleanupArguments(NoArguments):
    """Arguments of the cleanup tasks."""

    dry_run: bool = False


#: `TaskSpec.takes` → model of the keyword arguments.
MODELS: Mapping[str, type[BaseModel]] = {
    "none": NoArguments,
    "symbols": SymbolArguments,
    "news": NewsArguments,
    "cleanup": CleanupArguments,
}


def validate(
    task: str,
    model: type[BaseModel],
    asset_type: AssetType | None,
    args: list[Any] | tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> BaseModel:
    """Validate the arguments for a catalog task. See `catalog.validate_arguments`."""
    if args:
        raise InvalidArgumentsError(task, "args", "accepts keyword arguments only; move them to kwargs")
    try:
        return model.model_validate(dict(kwargs))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "kwargs"
        if first["type"] == "extra_forbidden":
            problem = f"unknown argument; {task} takes: {', '.join(model.model_fields) or 'none'}"
        elif first["type"] == "string_pattern_mismatch":
            problem = _not_a_symbol(first["input"], asset_type)
        else:
            problem = _describe(first["type"], first["input"], first.get("ctx", {})) or first["msg"]
        raise InvalidArgumentsError(task, field, problem) from error


def _describe(kind: str, value: object, limits: Mapping[str, Any]) -> str:
    """Return what is wrong with a value and what to write, or an empty text for a kind of error that is not expected.

    Args:
        kind: Pydantic's name of the kind of error.
        value: The value.
        limits: The limits of the field, by pydantic's names.
    """
    read = f"{value!r:.80}"
    texts = {
        "list_type": f"should be a list of strings, not {read}",
        "string_type": f"should be a string, not {read}",
        "bool_type": f"should be true or false, not {read}",
        "too_short": "the list is empty; name at least 1 entry, or leave the argument out to take all of them",
        "too_long": f"has too many entries; at most {limits.get('max_length', 0):,} are possible",
    }
    return texts.get(kind, "")


def _not_a_symbol(text: str, type: AssetType | None) -> str:
    """Return the message for a text that cannot be a symbol, with the symbols that the user may mean."""
    if not text.strip():
        return "is empty; write a symbol such as BTC-USD, AAPL or VOD.L"
    types = [type] if type else list(AssetType)
    found = [spelling.symbol for each in types for spelling in find_spellings(text, each)]
    near = [symbol for symbol in dict.fromkeys(found) if re.match(SYMBOL_PATTERN, symbol)]
    hint = f"did you mean {' or '.join(near)}?" if near else "write a symbol such as BTC-USD, AAPL or VOD.L"
    return f"{text!r} is not a symbol; {hint}"
