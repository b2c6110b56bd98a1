"""What a law of the chart is held against."""

import pytest

from support.chart import Manifests
from support.chart_values import COMBINATIONS, combination


@pytest.fixture(params=COMBINATIONS, ids=list(COMBINATIONS))
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """The chart with one combination of values after the other; every pair of options is in one of them."""
    return combination(request.param)
