"""Tests of the headers of CSV answers."""

import json

from starlette.datastructures import QueryParams

from financehub_shared.views.quotes import QuoteView
from financehub_web.api.answers import Answer, encode
from financehub_web.api.bodies import Body
from financehub_web.api.csv_headers import MOST_CHARACTERS, csv_headers, encode_warnings
from financehub_web.api.parameters import TableQuery
from financehub_web.reading.cache import Reading


def encoded(warnings: list[str], token: str | None) -> Body:
    """Return a CSV answer without records."""
    return encode(Answer([], QuoteView, warnings, token), TableQuery(), [Reading(None, 0)], is_csv=True)


def test_warnings_with_any_text_are_safe_in_a_header() -> None:
    """Line ends, control characters and letters beyond ASCII are escaped, so nobody can add a header."""
    warnings = ["a\r\nSet-Cookie: x=1", "\x7f\x00 \N{EURO SIGN}\ud800", 'a "b", c']
    text = encode_warnings(warnings)
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == warnings
    assert encode_warnings([]) == ""


def test_many_warnings_end_with_the_number_of_those_left_out() -> None:
    """The header stays small enough for proxies, and says that the JSON answer has the rest."""
    text = encode_warnings([f"damaged record {number}" for number in range(1_000)])
    assert len(text) <= MOST_CHARACTERS
    *kept, last = json.loads(text)
    assert last == f"{1_000 - len(kept):,} more; the JSON answer has all warnings"
    assert json.loads(encode_warnings(["x" * 3_000])) == ["1 more; the JSON answer has all warnings"]


def test_link_keeps_all_parameters_except_for_the_token() -> None:
    """The address is relative, so it is right behind every proxy."""
    body = encoded([], "t=/>")
    headers = csv_headers(body, QueryParams("symbols=A,B&symbols=C&page_token=old&q=%3E%22"))
    assert headers == {"Link": '<?symbols=A,B&symbols=C&q=%3E%22&page_token=t%3D%2F%3E>; rel="next"'}
    assert csv_headers(encoded([], None), QueryParams("limit=1")) == {}


def test_tag_of_csv_counts_its_headers() -> None:
    """A client that gets 304 keeps the headers of its answer, so they must be the same."""
    assert len({encoded(*each).tag for each in (([], None), (["a"], None), ([], "t"), (["b"], None))}) == 4
