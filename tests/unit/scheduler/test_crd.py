"""The CRD as it is committed, and what it teaches."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from financehub_scheduler.api.manifests.definition import definition
from financehub_scheduler.api.scheduled_task import ScheduledTaskSpec
from financehub_scheduler.api.status import ScheduledTaskStatus

ROOT = Path(__file__).parents[3]
MADE: dict[str, str] = runpy.run_path(str(ROOT / "services/scheduler/tools/make_manifests.py"))["manifests"]()
SCHEMA: dict[str, Any] = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


@pytest.mark.parametrize("name", MADE)
def test_the_committed_manifest_is_the_one_that_is_made(name: str) -> None:
    """What users apply is what the models say; run `make manifests` and commit where this fails."""
    assert (ROOT / "deploy" / name).read_text(encoding="utf-8") == MADE[name], "run `make manifests`"
    assert list(yaml.safe_load_all(MADE[name]))


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below one, with its path."""
    for name, each in schema.get("properties", {}).items():
        yield f"{path}.{name}", each
        yield from fields(each, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


ALL = [found for part in ("spec", "status") for found in fields(SCHEMA["properties"][part], part)]


@pytest.mark.parametrize(("path", "schema"), ALL, ids=[path for path, _ in ALL])
def test_every_field_is_explained_and_bounded(path: str, schema: dict[str, Any]) -> None:
    """`kubectl explain` says something of every field; texts and lists of the spec are bounded: CEL has a budget."""
    assert schema["description"].endswith(".")
    if path.startswith("spec."):
        bound = {"string": "maxLength", "array": "maxItems", "object": "maxProperties"}.get(schema["type"])
        assert bound is None or bound in schema or "enum" in schema or schema.get("format") == "date-time"


def test_it_has_the_fields_of_the_models_and_no_others() -> None:
    """The API server keeps what the scheduler reads and writes, and prunes everything else."""
    for part, model in (("spec", ScheduledTaskSpec), ("status", ScheduledTaskStatus)):
        assert set(SCHEMA["properties"][part]["properties"]) == {each.alias for each in model.model_fields.values()}


def test_conditions_are_a_map() -> None:
    """Conditions are merged by type, as everywhere in Kubernetes."""
    conditions = SCHEMA["properties"]["status"]["properties"]["conditions"]
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == ("map", ["type"])
