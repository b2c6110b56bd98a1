"""Tests of the descriptions of all views, from which the documentation of the API is made."""

import importlib
import pkgutil
from typing import Any

import pytest
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

from financehub_shared import views

MODULES = [importlib.import_module(f"{views.__name__}.{each.name}") for each in pkgutil.iter_modules(views.__path__)]
VIEWS = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if is_typeddict(value) and value.__module__ == module.__name__
}


def test_every_view_has_a_unique_name_that_ends_in_view() -> None:
    """The names of the views are the names of the schemas in the documentation, so no two are equal."""
    names = [name for module in MODULES for name, value in vars(module).items() if is_typeddict(value)]
    assert len({id(value) for value in VIEWS.values()}) == len(VIEWS) > 20
    assert {name for name in names if not name.endswith("View")} == set()


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_and_field_is_described_in_sentences(name: str) -> None:
    """The documentation describes each object and each field, and full sentences end with a period."""
    schema: dict[str, Any] = TypeAdapter(VIEWS[name]).json_schema()
    assert schema["description"].endswith("."), name
    assert "Args" not in schema["description"]
    for field, value in schema["properties"].items():
        assert value.get("description", "").endswith("."), f"{name}.{field}"
