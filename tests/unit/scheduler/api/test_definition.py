"""The committed CRD and the other generated manifests."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from financehub_scheduler.api.manifests.definition import definition
from financehub_scheduler.api.status import ScheduledTaskStatus
from financehub_shared.spec.scheduled_task import ScheduledTaskSpec

ROOT = Path(__file__).parents[4]
SCHEMA: dict[str, Any] = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def test_committed_manifests_equal_the_generated_ones() -> None:
    """The committed manifests match the models. If this fails, run `make manifests` and commit the result."""
    generated: dict[str, str] = runpy.run_path(str(ROOT / "services/scheduler/tools/make_manifests.py"))["manifests"]()
    assert generated
    for name, text in generated.items():
        assert (ROOT / "deploy" / name).read_text(encoding="utf-8") == text, f"{name}: run `make manifests`"
        assert name.endswith(".py") or list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema nested in a schema, with its path."""
    for name, each in schema.get("properties", {}).items():
        yield f"{path}.{name}", each
        yield from fields(each, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


ALL = [found for part in ("spec", "status") for found in fields(SCHEMA["properties"][part], part)]


@pytest.mark.parametrize(("path", "schema"), ALL, ids=[path for path, _ in ALL])
def test_field_has_a_description_and_a_bound(path: str, schema: dict[str, Any]) -> None:
    """`kubectl explain` describes every field. Strings and lists in the spec are bounded, because CEL has a budget."""
    assert schema["description"].endswith(".")
    if path.startswith("spec."):
        bound = {"string": "maxLength", "array": "maxItems", "object": "maxProperties"}.get(schema["type"])
        assert bound is None or bound in schema or "enum" in schema or schema.get("format") == "date-time"


def test_definition_has_exactly_the_fields_of_the_models() -> None:
    """The API server keeps the fields that the scheduler reads and writes, and prunes all others."""
    for part, model in (("spec", ScheduledTaskSpec), ("status", ScheduledTaskStatus)):
        assert set(SCHEMA["properties"][part]["properties"]) == {each.alias for each in model.model_fields.values()}


def test_conditions_are_merged_by_type() -> None:
    """Conditions are a map keyed by `type`, as is usual in Kubernetes."""
    conditions = SCHEMA["properties"]["status"]["properties"]["conditions"]
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == ("map", ["type"])


def test_only_fields_of_the_first_release_have_defaults_in_the_definition() -> None:
    """The API server adds no field to stored resources that the schedulers of the release before would refuse.

    It adds default values to all resources, and an upgrade changes the definition before the schedulers.
    """
    with_default = {name for name, each in SCHEMA["properties"]["spec"]["properties"].items() if "default" in each}
    assert with_default == {"timeZone", "suspend", "concurrencyPolicy", "catchUp", "jitterSeconds"}
