"""Tests that all of the product's exceptions share one root class."""

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [
    *ROOT.glob("shared/src/**/*.py"),
    *ROOT.glob("cli/src/**/*.py"),
    *ROOT.glob("services/*/src/**/*.py"),
]
ROOT_CLASS = "FinanceHubError"
#: Exception classes without this root class, each with the reason.
EXEMPT = {
    ROOT_CLASS: "it is the root class",
    "BadQueryError": "the simulator shares no code with the processes that it tests",
    "FaultRefusedError": "the simulator shares no code with the processes that it tests",
}


def classes() -> Iterator[tuple[str, list[str]]]:
    """Yield the name of every product class and the names of its base classes."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name, [ast.unparse(base).rpartition(".")[2] for base in node.bases]


def ancestors(name: str, bases: dict[str, list[str]]) -> set[str]:
    """Return the names of all base classes of a class, including indirect ones."""
    found: set[str] = set()
    pending = list(bases.get(name, []))
    while pending:
        base = pending.pop()
        if base not in found:
            found.add(base)
            pending += bases.get(base, [])
    return found


def is_exception(name: str) -> bool:
    """Whether a name is that of a built-in exception or looks like a library's exception."""
    builtin = getattr(builtins, name, None)
    return (isinstance(builtin, type) and issubclass(builtin, BaseException)) or name.endswith(("Error", "Exception"))


def test_every_exception_of_the_product_derives_from_the_root_class() -> None:
    """Every exception class derives from FinanceHubError, except those that are listed with a reason."""
    bases = dict(classes())
    exceptions = {name for name in bases if any(map(is_exception, ancestors(name, bases)))}
    others = {name for name in exceptions if ROOT_CLASS not in ancestors(name, bases)}
    assert len(exceptions) > 20
    assert others == EXEMPT.keys()
