"""Parsing of ScheduledTasks as the API server sends them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.core.changes import Changes
from financehub_scheduler.kubernetes.watch.resource import parse_resource
from financehub_scheduler.link.wire import Reported, encode
from support.schedules import UID

FIELDS = ["task", "queue", "schedule", "schedules", "timeZone", "args", "kwargs", "calendar", "startTime", "maxRuns"]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
#: Some specs have valid basic fields, so that the later checks are also reached.
SPECS = st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda odd: {"task": "t", "queue": "q", **odd}) | JSON


@given(spec=SPECS, status=JSON, annotations=st.none() | st.dictionaries(st.text(), st.text()))
def test_parse_resource_with_any_json_never_raises(spec: Any, status: Any, annotations: Any) -> None:
    """Any spec and status can be parsed. The result has either a schedule or a problem of at most 1,000 characters."""
    metadata = {
        "uid": UID,
        "namespace": "default",
        "name": "demo",
        "generation": 1,
        "creationTimestamp": "2026-01-05T06:00:00Z",
        "annotations": annotations,
    }
    body = {"apiVersion": "financehub.io/v1alpha1", "kind": "ScheduledTask", "metadata": metadata}
    resource = parse_resource({**body, "spec": spec, "status": status})
    assert (resource.schedule is None) == bool(resource.problem)
    assert len(resource.problem) < 1000


@pytest.mark.parametrize(
    ("spec", "annotations"),
    [
        ({"task": "fetch_crypto_prices_task", "schedule": "@daily", "kwargs": {"x" * 1_000_000: 1}}, {}),
        ({"task": "t", "queue": "q", "schedule": "@daily", "x" * 1_000_000: 1}, {}),
        ({"task": "t", "queue": "q", "schedule": "@daily"}, {"financehub.io/backfill": "x" * 200_000}),
    ],
    ids=["argument", "field", "annotation"],
)
def test_parse_resource_with_a_long_mistake_has_a_short_problem(
    spec: dict[str, Any], annotations: dict[str, str]
) -> None:
    """A page of such resources fits into one message to the engine process, so nobody can stop it with mistakes."""
    metadata = {"uid": UID, "namespace": "default", "name": "demo", "generation": 1, "creationTimestamp": None}
    body = {"apiVersion": "financehub.io/v1alpha1", "kind": "ScheduledTask", "spec": spec}
    problem = parse_resource({**body, "metadata": {**metadata, "annotations": annotations}}).problem
    assert 5_000 < len(problem) <= 10_000
    changes = Changes(deactivated={str(number): f"{number}{problem}" for number in range(500)})
    message = Reported(changes, {f"default/s{number}": f"{number}{problem}" for number in range(500)})
    assert len(encode(message)) < 32 * 1024 * 1024
