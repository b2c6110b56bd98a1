"""The spec of a schedule as YAML."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from pydantic_core import PydanticUndefined

from financehub_shared.schedules.spec_text import SPEC_DEFAULTS, spec_yaml
from financehub_shared.spec.scheduled_task import ScheduledTaskSpec
from support.schedules import registered


def test_defaults_are_those_of_the_resource() -> None:
    """Each field that has a value by default is shown with this value."""
    fields = {field.alias or name: field.default for name, field in ScheduledTaskSpec.model_fields.items()}
    expected = {name: value for name, value in fields.items() if value is not None and value is not PydanticUndefined}
    assert json.loads(json.dumps(expected)) == SPEC_DEFAULTS


def test_text_has_the_written_fields_and_then_the_defaults() -> None:
    """The text is YAML in which every field that has a value occurs once, and it says which ones were written."""
    info = registered(schedule="0 9 * * *", timeZone="Europe/Berlin", kwargs={"name": "Zoë"})
    text = spec_yaml(info)
    written, mark, rest = text.partition("# default values\n")
    assert mark
    assert yaml.safe_load(written) == info.spec
    assert yaml.safe_load(rest).keys() == {*SPEC_DEFAULTS} - {"timeZone", "kwargs"}
    assert "Zoë" in written


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"schedule": "<script>\u202e\x00\n---\n- !!python/object:x"},
        {"kwargs": {"a": [[[[[1.5, None, True]]]]]}, "unknown": "*anchor"},
        {"suspend": "&x !tag"},
    ],
)
def test_text_of_hostile_values_is_read_back_unchanged(spec: dict[str, Any]) -> None:
    """No value of a spec becomes a tag, an anchor or another document."""
    text = spec_yaml(replace(registered(), spec=spec))
    assert {**yaml.safe_load(text)}.items() >= spec.items()


def test_text_of_a_spec_that_is_nested_too_deeply_says_so() -> None:
    """A record that another program wrote does not make the page fail."""
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    assert spec_yaml(replace(registered(), spec={"args": nested})).startswith("# The spec cannot be shown")
