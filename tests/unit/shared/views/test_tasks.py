"""Tests of the view of a task."""

import pytest

from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.text import dump_json
from financehub_shared.views.tasks import task_view


@pytest.mark.parametrize("task", CATALOG)
def test_view_of_each_task_is_json_with_the_schema_of_its_arguments(task: str) -> None:
    """A form for the arguments can be made from the view, and no task requires an argument."""
    view = task_view(CATALOG[task])
    assert view["task"] == task
    assert view["arguments"]["type"] == "object"
    assert not view["arguments"].get("required")
    assert '"properties"' in dump_json(view)


def test_view_of_the_price_task_has_its_limits_and_its_symbols() -> None:
    """The view says how often the task runs, for how long, on which assets and with which arguments."""
    view = task_view(CATALOG["fetch_crypto_prices_task"])
    assert (view["queue"], view["schedule"], view["period_seconds"]) == ("high", "@every 2m", 120.0)
    assert (view["asset_type"], view["time_limit_seconds"], view["max_age_seconds"]) == ("crypto", 90, 600)
    assert "symbols" in view["arguments"]["properties"]
