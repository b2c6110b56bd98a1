"""What is remembered of a status."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_scheduler.kubernetes.observed_status import NOTHING, Standing, digest, seen

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
def test_the_order_of_fields_says_nothing(status: dict[str, Any], random: Any) -> None:
    """A status has one digest however its fields are ordered, and another once one of them differs."""
    items = list(status.items())
    random.shuffle(items)
    assert digest(dict(items)) == digest(status)
    assert digest({**status, items[0][0]: [items[0][1]]}) != digest(status)


def test_conditions_are_kept_as_far_as_they_are_needed() -> None:
    """Type, status, generation and time of a condition are remembered."""
    status = {"conditions": [CONDITION], "runs": 1}
    since = datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert seen(status).conditions == (Standing("Ready", "True", 3, since),)
    assert seen(status).digest == digest(status)


@pytest.mark.parametrize("status", [None, {}])
def test_no_status_is_nothing(status: Any) -> None:
    """A resource without a status, or with an empty one, has nothing to compare with."""
    assert seen(status) is NOTHING


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
def test_a_status_written_by_hand_is_borne(conditions: Any) -> None:
    """Whatever somebody wrote as conditions is as good as none, and no error."""
    status = {"conditions": conditions}
    assert (seen(status).conditions, seen(status).digest) == ((), digest(status))
