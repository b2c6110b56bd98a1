"""Tests that docs/data-model.md documents exactly the keys in the code."""

import inspect
import re
from pathlib import Path

from financehub_shared.redis import keys

PAGE = Path(__file__).parents[4] / "docs/data-model.md"


def test_data_model_lists_exactly_the_keys_of_the_code():
    """The page has one row for each key that the code defines, and no other row."""
    constants = {value for value in vars(keys).values() if isinstance(value, str) and value.startswith("financehub:")}
    functions = [
        function for _, function in inspect.getmembers(keys, inspect.isfunction) if function.__module__ == keys.__name__
    ]
    patterns = {function(*["<>"] * len(inspect.signature(function).parameters)) for function in functions}
    rows = re.findall(r"^\| `(financehub:[^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert {re.sub(r"<[^>]+>", "<>", row) for row in rows} == constants | patterns
