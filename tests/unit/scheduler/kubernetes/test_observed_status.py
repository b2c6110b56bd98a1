"""Compact copies of statuses that the API server returned."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.kubernetes.observed_status import NO_STATUS, ConditionDigest, digest, observe

CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Scheduled",
    "message": "runs as scheduled",
    "lastTransitionTime": "2027-01-15T08:00:00Z",
    "observedGeneration": 3,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, min_size=1), st.randoms())
def test_digest_depends_on_values_and_not_on_field_order(status: dict[str, Any], random: Any) -> None:
    """A status has the same digest regardless of its field order, and a different one if a value differs."""
    items = list(status.items())
    random.shuffle(items)
    assert digest(dict(items)) == digest(status)
    assert digest({**status, items[0][0]: [items[0][1]]}) != digest(status)


def test_observe_with_condition_keeps_type_status_generation_and_time() -> None:
    """A condition digest contains the condition's type, status, generation and transition time."""
    status = {"conditions": [CONDITION], "runs": 1}
    since = datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert observe(status).conditions == (ConditionDigest("Ready", "True", 3, since),)
    assert observe(status).digest == digest(status)


@pytest.mark.parametrize("status", [None, {}])
def test_observe_without_status_returns_no_status(status: Any) -> None:
    """A missing and an empty status are both observed as NO_STATUS."""
    assert observe(status) is NO_STATUS


@pytest.mark.parametrize(
    "conditions",
    [
        "none",
        7,
        [7],
        [{}],
        [{**CONDITION, "type": 5}],
        [{**CONDITION, "lastTransitionTime": "yesterday"}],
        [{**CONDITION, "lastTransitionTime": None}],
        {"Ready": "True"},
    ],
)
def test_observe_with_invalid_conditions_ignores_them(conditions: Any) -> None:
    """Invalid conditions that a user wrote manually are ignored and do not raise an error."""
    status = {"conditions": conditions}
    assert (observe(status).conditions, observe(status).digest) == ((), digest(status))
