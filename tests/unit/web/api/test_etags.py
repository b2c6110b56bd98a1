"""Tests of entity tags."""

import pytest

from financehub_shared.core.text import dump_json
from financehub_web.api.etags import ignored_keys, is_known, tag_of


def body(**fields: object) -> bytes:
    return dump_json({"data": [fields], "meta": {"as_of": fields.get("at", "now")}}).encode()


def test_tag_ignores_what_changes_with_every_request() -> None:
    """Two answers that differ only in ages and in the time of the reading have the same tag."""
    ignored = ignored_keys([])
    first = tag_of(body(price="1", age_seconds=1.5, at="a"), ignored)
    assert first == tag_of(body(price="1", age_seconds=22, at="a"), ignored)
    assert first != tag_of(body(price="2", age_seconds=1.5, at="a"), ignored)


def test_tag_contains_texts_that_look_like_changing_keys() -> None:
    """A headline cannot hide a change by containing the name of a changing key."""
    first, second = ('x"age_seconds":1', 'x"age_seconds":2')
    assert tag_of(body(title=first), ignored_keys([])) != tag_of(body(title=second), ignored_keys([]))


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ('W/"abc"', True),
        ('"abc"', True),
        ('"x", W/"abc"', True),
        ('"x,y" ,"abc"', True),
        ("*", True),
        ("", False),
        ("abc", False),
        ('"abcd"', False),
        ('"ab", "c"', False),
        ('W/"x"abc"', False),
        ('"a"b"c"', False),
    ],
)
def test_is_known_compares_whole_tags(header: str, known: bool) -> None:
    """`If-None-Match` is parsed as a list of tags (RFC 9110), and compared weakly."""
    assert is_known('W/"abc"', header) is known
