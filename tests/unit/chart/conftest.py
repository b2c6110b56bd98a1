"""Fixtures for the combinations of values for which every property of the chart must hold."""

import pytest

from support.chart import Manifests
from support.chart_values import COMBINATIONS, combination


@pytest.fixture(params=COMBINATIONS, ids=list(COMBINATIONS))
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """The chart rendered with each combination of values in turn. Together, they contain every pair of options."""
    return combination(request.param)
