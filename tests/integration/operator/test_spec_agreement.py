"""The API server, with the CEL rules, judges random specs as the Python validators do."""

import json
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from financehub_shared.spec.exclusion import DatesText
from financehub_shared.spec.fields import ScheduleText
from financehub_shared.spec.scheduled_task import from_resource
from support.random_specs import RandomSpecs
from support.spec_case import NEWS, OTHER, SpecCase, without
from test_cluster.control_plane.cluster import Cluster

_PATH = "/apis/financehub.io/v1alpha1/namespaces/default/scheduledtasks"
_SCHEDULE: TypeAdapter[str] = TypeAdapter(ScheduleText)
_DATE: TypeAdapter[str] = TypeAdapter(DatesText)


def refused_fields(cluster: Cluster, spec: dict[str, Any]) -> set[str]:
    """Return the fields for which the API server refuses a spec. Nothing is stored."""
    try:
        cluster.request("POST", _PATH, SpecCase(spec).body(), dryRun="All", fieldValidation="Strict")
    except httpx.HTTPStatusError as error:
        answer = json.loads(error.response.text)
        # Other errors, such as an evaluation that was too expensive, have other codes.
        assert answer["code"] == 422, answer
        return {cause["field"] for cause in answer["details"]["causes"]}
    return set()


def is_valid(adapter: TypeAdapter[str], text: str) -> bool:
    """Whether the type of a field accepts a text."""
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


def disagreements(
    cluster: Cluster, texts: Sequence[str], spec: Callable[[Sequence[str]], dict[str, Any]], place: str, size: int
) -> list[str]:
    """Return the texts that one side accepts and the other one refuses, with the side that refuses.

    Args:
        cluster: The API server.
        texts: The texts.
        spec: Returns a spec with a list of texts.
        place: Path of the list in the spec.
        size: Number of texts per request.
    """
    adapter = _DATE if place.endswith("dates") else _SCHEDULE
    found = []
    for start in range(0, len(texts), size):
        part = texts[start : start + size]
        refused = refused_fields(cluster, spec(part))
        for number, text in enumerate(part):
            by_api_server, by_scheduler = f"{place}[{number}]" in refused, not is_valid(adapter, text)
            if by_api_server != by_scheduler:
                found.append(f"{text!r} is refused only by the {'API server' if by_api_server else 'scheduler'}")
    return found


@pytest.mark.parametrize("seed", range(4))
def test_random_schedules_are_judged_alike(crd_installed: Cluster, seed: int) -> None:
    """The API server refuses exactly those texts of schedules that the scheduler refuses."""
    source = RandomSpecs(seed)
    texts = list(dict.fromkeys(source.text() for _ in range(2_000)))
    assert 0.25 < sum(is_valid(_SCHEDULE, text) for text in texts) / len(texts) < 0.75
    base = without(OTHER, "schedule") | {"calendar": "XNYS"}
    assert disagreements(crd_installed, texts, lambda part: base | {"schedules": part}, "spec.schedules", 16) == []


def test_random_dates_are_judged_alike(crd_installed: Cluster) -> None:
    """The API server refuses exactly those excluded dates that the scheduler refuses."""
    source = RandomSpecs(0)
    texts = [source.date() for _ in range(5_000)]
    assert 0.25 < sum(is_valid(_DATE, text) for text in texts) / len(texts) < 0.75

    def spec(part: Sequence[str]) -> dict[str, Any]:
        return NEWS | {"exclude": [{"dates": part}]}

    assert disagreements(crd_installed, texts, spec, "spec.exclude[0].dates", 100) == []


@pytest.mark.parametrize("seed", range(4))
def test_random_specs_are_judged_alike(crd_installed: Cluster, seed: int) -> None:
    """The API server refuses exactly those specs, of fields that depend on one another, that the scheduler refuses."""
    source, wrong, accepted = RandomSpecs(seed), [], 0
    for spec in islice(iter(source.spec, None), 300):
        refused = refused_fields(crd_installed, spec)
        accepted += not refused
        # The API server removes null values before the scheduler reads the resource.
        try:
            from_resource(SpecCase(_without_nulls(spec)).body())
            problem = ""
        except ValueError as error:
            problem = str(error)
        if bool(refused) != bool(problem):
            wrong.append((spec, refused, problem))
    assert wrong == []
    assert 30 < accepted < 270


def _without_nulls(spec: dict[str, Any]) -> dict[str, Any]:
    entries = [{name: value for name, value in entry.items() if value is not None} for entry in spec.get("exclude", ())]
    return spec | ({"exclude": entries} if "exclude" in spec else {})
