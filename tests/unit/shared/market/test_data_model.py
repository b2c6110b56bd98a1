"""docs/data-model.md tells of every key, and of no other."""

import inspect
import re
from pathlib import Path

from financehub_shared.redis import keys

PAGE = Path(__file__).parents[4] / "docs/data-model.md"


def test_the_page_names_exactly_the_keys_that_the_code_has():
    """Nobody adds a key without saying what it holds, and nothing stays on the page that is gone."""
    constants = {value for value in vars(keys).values() if isinstance(value, str) and value.startswith("financehub:")}
    functions = [each for _, each in inspect.getmembers(keys, inspect.isfunction) if each.__module__ == keys.__name__]
    built = {each(*["<>"] * len(inspect.signature(each).parameters)) for each in functions}
    rows = re.findall(r"^\| `(financehub:[^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert {re.sub(r"<[^>]+>", "<>", row) for row in rows} == constants | built
