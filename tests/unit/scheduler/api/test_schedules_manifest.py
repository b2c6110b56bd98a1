"""The generated section of default schedules in the chart's values."""

import pytest

from financehub_scheduler.api.manifests.schedules import with_default_schedules
from financehub_shared.core.catalog import CATALOG


def test_with_default_schedules_replaces_only_its_section() -> None:
    """The sections before and after `schedules` are kept, and the section has an entry for every task."""
    text = with_default_schedules("before: 1\n\nschedules:\n  removed-task:\n    enabled: true\n\nafter: 2\n")
    assert text.startswith("before: 1\n\nschedules:\n  # ")
    assert text.endswith("\n\nafter: 2\n")
    assert "removed-task" not in text
    assert all(f"      task: {task}\n" in text for task in CATALOG)


@pytest.mark.parametrize("values", ["other: 1\n", "schedules:\n  a: 1\nother: 1\nschedules:\n  b: 1\n"])
def test_with_default_schedules_without_exactly_one_section_raises(values: str) -> None:
    """A text without the section, or with two of them, is refused, because a change could be in the wrong position."""
    with pytest.raises(ValueError, match="exactly one"):
        with_default_schedules(values)
