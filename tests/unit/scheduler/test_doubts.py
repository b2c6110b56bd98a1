"""Legal and suspicious schedules."""

import pytest

from financehub_scheduler.core.warnings import doubts
from support.schedules import schedule

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("spec", "now", "says"),
    [
        ({}, NOW, None),
        ({"catchUp": "All", "concurrencyPolicy": "Allow"}, NOW, None),
        ({"catchUp": "All"}, NOW, "Allow runs them all"),
        ({"calendar": "XNYS"}, NOW, None),
        ({"calendar": "XNYS"}, 1_956_000_000.0, "calendar XNYS ends on 2032-01-01"),
    ],
)
def test_doubts(spec: dict[str, object], now: float, says: str | None) -> None:
    """What is probably not meant is said in a sentence that names the way out; what is plain is not commented on."""
    found = doubts(schedule(**spec), now)
    assert (len(found) == 1 and says in found[0]) if says else found == []
