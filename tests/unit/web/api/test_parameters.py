"""Tests of the parameters that routes share."""

import pytest

from financehub_web.api.bars import BarsOfAssetsQuery
from financehub_web.api.indicators import IndicatorsOfAssetsQuery
from financehub_web.api.news import NewsQuery
from financehub_web.api.parameters import Query
from financehub_web.api.quotes import QuotesQuery
from financehub_web.api.stream import StreamQuery


@pytest.mark.parametrize("query", [QuotesQuery, BarsOfAssetsQuery, IndicatorsOfAssetsQuery, NewsQuery, StreamQuery])
def test_symbols_in_upper_and_lower_case_are_the_same(query: type[QuotesQuery]) -> None:
    """A symbol that is named twice is in the answer once, in the order in which the symbols are named first."""
    assert query.model_validate({"symbols": "aapl, BTC-USD,AAPL"}).symbols == ["AAPL", "BTC-USD"]


def test_names_keep_their_case_and_are_not_repeated() -> None:
    """Names may be several parameters and lists with commas, and empty ones are left out."""
    assert Query.model_validate({"fields": ["a,,A", " a ,b"]}).fields == ["a", "A", "b"]
