"""What is read from a ScheduledTask as an API server shows it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.kubernetes.watch.resource import read
from support.schedules import UID

FIELDS = ["task", "queue", "schedule", "schedules", "timeZone", "args", "kwargs", "calendar", "startTime", "maxRuns"]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
#: A third of the fields right, so that what comes after the first fault is reached too.
SPECS = st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda odd: {"task": "t", "queue": "q", **odd}) | JSON


@given(spec=SPECS, status=JSON, annotations=st.none() | st.dictionaries(st.text(), st.text()))
def test_nothing_that_an_api_server_may_hold_stops_the_reader(spec: Any, status: Any, annotations: Any) -> None:
    """Whatever spec and status hold, a resource is read: it has a schedule, or else a problem that is not long."""
    metadata = {
        "uid": UID,
        "namespace": "default",
        "name": "demo",
        "generation": 1,
        "creationTimestamp": "2026-01-05T06:00:00Z",
        "annotations": annotations,
    }
    body = {"apiVersion": "financehub.io/v1alpha1", "kind": "ScheduledTask", "metadata": metadata}
    resource = read({**body, "spec": spec, "status": status})
    assert (resource.schedule is None) == bool(resource.problem)
    assert len(resource.problem) < 1000
