"""Tests of the pages of lists. The properties hold for every list, whatever its records contain."""

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from financehub_web.api.errors import ApiError
from financehub_web.api.newest import MOST_EXAMINED, NewestFirst
from financehub_web.api.paging import Key, make_token, page_of, rank, read_token

PARTS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text("aAzé\U0001f600", max_size=2))
RECORDS = st.lists(st.tuples(PARTS, st.sampled_from(["AAPL", "BTC-USD", "ETH-USD"])), max_size=12)


def every_page(records: list[Key], limit: int, *, descending: bool) -> list[Key]:
    """Return the records of all pages of a list, in order."""
    found: list[Key] = []
    token: str | None = ""
    while token is not None:
        page, token = page_of(records, lambda record: record, limit=limit, token=token, descending=descending)
        assert page or token is None
        found += page
    return found


@example([(None, "AAPL"), (math.nan, "AAPL"), (math.nan, "AAPL")], 1, False)
@given(RECORDS, st.integers(1, 5), st.booleans())
def test_pages_equal_one_big_page(records: list[Key], limit: int, descending: bool) -> None:
    """All pages together are one big page, also with values that are missing, equal or of mixed types."""
    (whole, token) = page_of(records, lambda record: record, limit=100, descending=descending)
    assert token is None
    assert list(map(repr, every_page(records, limit, descending=descending))) == list(map(repr, whole))
    assert sorted(map(repr, whole)) == sorted(map(repr, records))


@given(RECORDS, RECORDS, st.booleans())
def test_page_after_changes_contains_exactly_what_comes_after_the_token(
    before: list[Key], after: list[Key], descending: bool
) -> None:
    """If the list has changed meanwhile, the next page begins behind the place of the last record."""
    _, token = page_of(before, lambda record: record, limit=1, descending=descending)
    if token is not None:
        different = {rank(each, descending=False): each for each in after}
        rest, _ = page_of(
            list(different.values()), lambda record: record, limit=100, token=token, descending=descending
        )
        place = rank(read_token(token), descending=descending)
        expected = [each for each in different.values() if rank(each, descending=descending) > place]
        assert sorted(map(repr, rest)) == sorted(map(repr, expected))


@pytest.mark.parametrize(
    ("descending", "expected"), [(False, [-1, 0.5, 2, "a", "b", None]), (True, [2, 0.5, -1, "b", "a", None])]
)
def test_order_has_missing_values_at_the_end_in_both_directions(descending: bool, expected: list[Any]) -> None:
    """Numbers come first, then texts, and what has no value comes last, also in descending order."""
    page, _ = page_of([None, "b", 0.5, -1, "a", 2], lambda value: (value,), limit=10, descending=descending)
    assert page == expected


@pytest.mark.parametrize("token", ["x", "e30", "W10", "W1tdXQ", "bnVsbA", "é", "WyJh", "A" * 4_000, "W1wi"])
def test_damaged_token_is_refused(token: str) -> None:
    """A token that this API did not return is an error of the client that says what to do."""
    with pytest.raises(ApiError, match="use the next_page_token"):
        read_token(token)


@pytest.mark.parametrize("key", [[10**400, "x"], [-(10**400), "x"], [1, "\ud800"], [1, "x", {}]])
def test_token_with_a_part_that_no_record_has_is_refused(key: list[Any]) -> None:
    """Numbers that are too large to be sorted and texts that cannot be encoded are refused like other damage."""
    with pytest.raises(ApiError, match="use the next_page_token"):
        read_token(make_token(tuple(key)))


def test_token_may_contain_the_id_of_a_run_that_is_not_utf_8() -> None:
    """Such an id is escaped so that its bytes can be restored (`redis.text.id_text`)."""
    assert read_token(make_token((1.5, "\udcff"))) == (1.5, "\udcff")


@given(st.lists(PARTS, min_size=1, max_size=4))
def test_token_contains_the_key(key: list[Any]) -> None:
    """Reading a token returns the key from which it was made, in characters that a URL may contain."""
    token = make_token(tuple(key))
    assert repr(read_token(token)) == repr(tuple(key))
    assert token.replace("-", "").replace("_", "").isalnum()


class Log:
    """A list of (time, id) that is read newest first, and that counts how many records are read."""

    def __init__(self, records: list[tuple[float, str]]) -> None:
        # among equal times, the order of Redis may be another one than ours
        self._records = sorted(records, key=lambda record: (-record[0], record[1]))
        self.read_records = 0

    def read(self, until: float, count: int) -> list[tuple[float, str]]:
        found = [record for record in self._records if record[0] <= until][:count]
        self.read_records += len(found)
        return found

    def pages(self, limit: int, keep: str, since: float | None) -> list[tuple[float, str]]:
        newest = NewestFirst(
            self.read, lambda record: record, lambda some: [(each, each) for each in some if keep in each[1]], since
        )
        found: list[tuple[float, str]] = []
        token: str | None = ""
        while token is not None:
            page, token = newest.page(limit, token)
            assert len(page) <= limit
            found += page
        return found


@given(
    st.lists(st.tuples(st.sampled_from([1.0, 2.0, 2.5, 3.0]), st.text("abc", min_size=1, max_size=2)), unique=True),
    st.integers(1, 4),
    st.sampled_from(["", "a"]),
    st.sampled_from([None, 2.0, 9.0]),
)
def test_pages_of_newest_first_equal_one_big_page(
    records: list[tuple[float, str]], limit: int, keep: str, since: float | None
) -> None:
    """All pages contain each record of the list once, newest first, although many records have the same time."""
    wanted = [record for record in records if keep in record[1] and record[0] >= (since or 0)]
    assert Log(records).pages(limit, keep, since) == sorted(wanted, reverse=True)


def test_page_of_newest_first_examines_a_bounded_number_of_records() -> None:
    """A filter that matches nothing yields empty pages with a token, and each request reads few records."""
    log = Log([(float(number), "id") for number in range(3 * MOST_EXAMINED)])
    newest = NewestFirst(log.read, lambda record: record, lambda _: [])
    page, token = newest.page(10, "")
    assert (page, token is not None) == ([], True)
    assert log.read_records < 1.2 * MOST_EXAMINED


def test_page_of_newest_first_with_thousands_of_equal_times_is_complete() -> None:
    """Records of the same time are read as a whole, because their order is only known then."""
    records = [(5.0, f"{number:04}") for number in range(1_000)] + [(4.0, "older")]
    assert Log(records).pages(300, "", None) == sorted(records, reverse=True)
