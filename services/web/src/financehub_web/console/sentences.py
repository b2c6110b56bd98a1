"""Turns the messages of errors into sentences for the pages of actions."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from financehub_shared.core.errors import FinanceHubError, InvalidArgumentsError

#: Names of arguments that say less than the problem, which quotes the value.
_WITHOUT_LABEL = {"name", "id"}
#: A first word that is not a name: names are followed by a colon, or have other characters than letters.
_FIRST_WORD = re.compile(r"^[a-z]+(?= )")
#: Type of an error of pydantic → what it means for a user.
_PROBLEMS = {
    "missing": "the value is missing",
    "string_too_short": "the value is empty",
    "string_too_long": "the value has more than {max_length:,} characters",
    "too_long": "there are more than {max_length:,} values",
    "extra_forbidden": "this value is unknown",
    "literal_error": "the value must be {expected}",
    "enum": "the value must be {expected}",
}


def sentence_of(error: FinanceHubError) -> str:
    """Return the message of an error as a sentence, without the task that only the command line needs."""
    text = str(error)
    if isinstance(error, InvalidArgumentsError):
        text = error.problem if error.field in _WITHOUT_LABEL else f"{error.field}: {error.problem}"
    text = _FIRST_WORD.sub(lambda word: word[0].capitalize(), text)
    return text if text.endswith((".", "?", "!")) else f"{text}."


def problem_of(error: ValidationError) -> str:
    """Return the first problem of a form as a sentence that names the value."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {problem_text(first)}." if place else f"{problem_text(first)}."


def problem_text(details: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, from one entry of the errors of pydantic."""
    known = _PROBLEMS.get(details["type"], "").format(**details.get("ctx", {}))
    return known or str(details["msg"]).removeprefix("Value error, ")
