"""Tests of encoded answers."""

import pytest

from financehub_shared.views.quotes import QuoteView
from financehub_web.api.answers import Answer, encode
from financehub_web.api.parameters import TableQuery
from financehub_web.reading.cache import Reading


def tag(seconds: float, fields: str, *, is_csv: bool) -> str:
    """Return the tag of a list with one quote of a given age."""
    row = {**dict.fromkeys(QuoteView.__annotations__, "x"), "age_seconds": seconds}
    query = TableQuery.model_validate({"fields": fields})
    return encode(Answer([row], QuoteView), query, [Reading(None, seconds)], is_csv=is_csv).tag


@pytest.mark.parametrize("is_csv", [False, True])
@pytest.mark.parametrize(
    ("fields", "is_same"), [("", True), ("symbol", True), ("symbol,age_seconds", False), ("age_seconds", False)]
)
def test_tag_counts_a_changing_key_only_if_the_client_names_it(fields: str, is_same: bool, is_csv: bool) -> None:
    """A client that asks for an age gets its new value, and one that asks for everything gets 304 meanwhile."""
    assert (tag(1, fields, is_csv=is_csv) == tag(2, fields, is_csv=is_csv)) is is_same
