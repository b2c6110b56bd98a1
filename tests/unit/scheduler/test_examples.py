"""The examples in deploy/examples. tests/integration/operator/test_admission.py applies them to an API server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from financehub_scheduler.api.schedule import compile_schedule
from financehub_scheduler.core.warnings import spec_warnings
from financehub_shared.spec.documents import parse, split
from financehub_shared.spec.task_spec import ScheduledTaskSpec
from support.schedules import UID

FOLDER = Path(__file__).parents[3] / "deploy/examples"
FILES = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}
#: Fields whose use is plain from their description. The README shows the others at work.
PLAIN = {"queue", "args", "retries", "timeLimitSeconds", "startTime", "endTime", "maxRuns"}


def names(value: Any) -> Iterator[str]:
    """Yield the names of all fields in a value."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from names(each)
    if isinstance(value, list):
        for each in value:
            yield from names(each)


@pytest.mark.parametrize("name", FILES)
def test_example_is_valid_and_not_suspicious(name: str) -> None:
    """The scheduler runs each example and has no warning about it."""
    for document in split(FILES[name]):
        task = parse(document)
        assert task
        assert spec_warnings(compile_schedule(task, UID), 1_800_000_000.0) == []


@pytest.mark.parametrize("name", FILES)
def test_example_is_described_in_the_readme(name: str) -> None:
    """The README has a section for each example."""
    assert f"]({name})" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_examples_have_every_field_that_needs_one() -> None:
    """Each field has an example, also those of an exclusion, except for the plain ones."""
    used = {name for text in FILES.values() for each in yaml.safe_load_all(text) for name in names(each.get("spec"))}
    schema = json.dumps(ScheduledTaskSpec.model_json_schema(by_alias=True))
    fields = {field.alias or name for name, field in ScheduledTaskSpec.model_fields.items()}
    fields |= set(json.loads(schema)["$defs"]["Exclusion"]["properties"])
    assert fields - used == PLAIN
