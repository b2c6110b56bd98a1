"""Tests of errors about the records of one asset."""

import pytest

from financehub_shared.market.encoding.record_names import asset_record, bars_record, freshness_record, quote_record
from financehub_web.api.errors import ApiError
from financehub_web.api.symbols import no_data_yet
from financehub_web.reading.cache import Reading


@pytest.mark.parametrize("name", [asset_record("AAPL"), quote_record("AAPL"), bars_record("AAPL")])
def test_damaged_record_of_an_asset_is_the_reason_that_it_has_no_data(name: object) -> None:
    """The client gets the warning about the record, and not the promise that the next run fetches the data."""
    warning = f"{name}: not JSON; the next run replaces it"
    with pytest.raises(ApiError, match="not JSON") as caught:
        no_data_yet("AAPL", "price", Reading({}, 0, "", (warning,)))
    assert caught.value.code == "unreadable-record"


@pytest.mark.parametrize("name", [freshness_record("AAPL"), quote_record("X AAPL"), bars_record("X:AAPL")])
def test_damaged_record_with_a_similar_name_is_not_the_reason(name: object) -> None:
    """A name that merely ends with the symbol belongs to something else."""
    error = no_data_yet("AAPL", "price", Reading({}, 0, "", (f"{name}: not JSON",)))
    assert error.code == "no-data-yet"
