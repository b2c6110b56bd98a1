"""Imports by name, which the import linter cannot see, are found and checked (F19)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCES = ("shared/src", "cli/src", "services/*/src", "deploy/local")
#: Functions that import the module that their first argument names.
IMPORTERS = {
    *("import_module", "__import__", "resolve_name", "run_module", "find_spec", "load_module", "LazyLoader"),
    *("spec_from_file_location", "spec_from_loader", "SourceFileLoader", "locate"),
}
#: Modules that import by a name that is computed, and why they may.
COMPUTED = {
    "cli/src/financehub_cli/app.py": "the table of commands names the module of each, which is imported when it runs",
    "shared/src/financehub_shared/providers/build.py": "the table of providers names each provider's build function",
    "services/simulator/src/financehub_simulator/upstreams/catalog.py": "the table of upstreams names their modules",
}
#: Functions that execute text, which may contain an import.
EXECUTORS = {"exec", "eval", "compile"}
#: Only modules with one of these words are parsed, because parsing all of them takes seconds.
_WORDS = re.compile(rf"(?<![\w.])(?:{'|'.join(EXECUTORS)})\b|\b(?:{'|'.join(IMPORTERS)})\b")


def dynamic_imports(source: str) -> Iterator[tuple[int, str | None]]:
    """Yield the line and the literal name of each import by name. The name is None if it is computed."""
    if not _WORDS.search(source):
        return
    tree = ast.parse(source)
    renamed = {
        alias.asname: alias.name.rsplit(".", maxsplit=1)[-1]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
        for alias in node.names
        if alias.asname
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            name = node.attr if isinstance(node, ast.Attribute) else renamed.get(node.id, node.id)
            is_method = isinstance(node, ast.Attribute)
            if name in IMPORTERS or (name in EXECUTORS and not is_method):
                yield node.lineno, _literal(tree, node)
        if isinstance(node, ast.Constant) and node.value in {"__import__", "import_module"}:
            yield node.lineno, None


def _literal(tree: ast.AST, function: ast.expr) -> str | None:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.func is function and call.args:
            first = call.args[0]
            return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    return None


def modules() -> list[Path]:
    """Return all modules of the product."""
    return [path for pattern in SOURCES for root in REPOSITORY.glob(pattern) for path in root.rglob("*.py")]


def test_modules_import_by_name_only_where_it_is_allowed():
    """A module that imports by name bypasses every import contract, so it must be listed here with its reason."""
    found = {
        str(path.relative_to(REPOSITORY))
        for path in modules()
        for _ in dynamic_imports(path.read_text(encoding="utf-8"))
    }
    assert found == set(COMPUTED)


@pytest.mark.parametrize(
    "violation",
    [
        'import importlib\nimportlib.import_module("yfinance")',
        'from importlib import import_module\nimport_module("yfinance")',
        'from importlib import import_module as load\nload("yfinance")',
        'import importlib as il\nil.import_module(name="yfinance")',
        '__import__("yfinance")',
        'def f():\n    return __import__("yfin" + "ance")',
        'import builtins\nbuiltins.__import__("yfinance")',
        'getattr(__builtins__, "__import__")("yfinance")',
        'from pkgutil import resolve_name\nresolve_name("yfinance:download")',
        'import runpy\nrunpy.run_module("yfinance")',
        'import importlib.util\nimportlib.util.find_spec("yfinance")',
        "from importlib.util import find_spec as find\nx = find",
        'import pydoc\npydoc.locate("yfinance")',
        'exec("import yfinance")',
        'f = eval\nf("__imp" + "ort__(1)")',
        'load = __import__\nload("yfinance")',
    ],
)
def test_import_by_name_is_found(violation: str):
    """Each way to import by name is found, even if the function is renamed or only passed on."""
    assert list(dynamic_imports(violation))


@pytest.mark.parametrize(
    "harmless",
    ["import re\nre.compile('x')", "import yaml\nyaml.compose('x')", "client.eval('return 1', 0)", "x = 'import y'"],
)
def test_other_functions_are_not_imports(harmless: str):
    """A method with the same name as a built-in function imports nothing."""
    assert list(dynamic_imports(harmless)) == []
