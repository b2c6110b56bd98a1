"""The combinations of values for which every property of the chart must hold."""

import pytest

from support.chart import Manifests
from support.chart_values import COMBINATIONS, combination


@pytest.fixture(params=COMBINATIONS, ids=list(COMBINATIONS))
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """The chart with each combination of values in turn. Every pair of options is in one of the combinations."""
    return combination(request.param)
