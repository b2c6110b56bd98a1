"""Tests of the plain text of titles: markup, invisible characters and joiners."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.providers.transport.plain_text import MAX_CHARACTERS, plain_text

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
HEART = "\u2764\ufe0f\u200d\U0001f525"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("AT&amp;T <b>up</b>", "AT&T up"),
        ("A<br/>B", "A B"),
        ("a < b and 3 > 2", "a < b and 3 > 2"),
        ("Up & away <b", "Up & away"),
        ("<a title='x > y'>Up</a>", "Up"),
        ("<script>alert(1)</script>Up<style>a{}</style>", "Up"),
        ("<SCRIPT>alert(1)", ""),
        ("Up<!-- a > b --> more", "Up more"),
        ("<![CDATA[P&L up]]>", "P&L up"),
        ("I </3 it", "I </3 it"),
        ("&#66;&#x54;&copy;&nbsp;x&foo;", "BT© x&foo;"),
        (" a\n\tb\u2028c ", "a b c"),
        (None, ""),
        (["a"], ""),
    ],
)
def test_plain_text_of_markup_is_what_a_reader_sees(markup: object, text: str):
    """Tags, comments, scripts and entities are resolved, and everything else stays."""
    assert plain_text(markup) == text


@pytest.mark.parametrize(
    "title",
    [
        f"{FAMILY} spend more",
        f"{HEART} Bitcoin",
        f"{ENGLAND} wins",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner inside a word
        "\u0915\u094d\u200d\u0937",  # Hindi, with a joiner that asks for a half letter
        "\u0d28\u0d4d\u200d",  # Malayalam, with a joiner at the end of a word
        "\u0600\u0661\u0662",  # Arabic number sign
        "\u2764\ufe0f \U0001fae8",  # a variation selector, and an emoji that is newer than Python's table
        "caf\u00e9 cafe\u0301",
    ],
)
def test_joiners_that_change_what_is_visible_stay(title: str):
    """N15: emoji of several parts and words of Persian and Indic languages keep their joiners (F15)."""
    assert plain_text(title) == title


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Bit\u200dcoin", "Bitcoin"),
        ("Bit\u200ccoin", "Bitcoin"),
        ("\u0415\u200d\u0426\u0411", "\u0415\u0426\u0411"),  # the abbreviation for the ECB in Russian
        ("\uff21\u200d\uff22", "\uff21\uff22"),
        ("\u200dUp \u200d\u200dmore", "Up more"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("\u2066a\u2069 \u200eb\u200f \u061cc", "a b c"),
        ("\ufeffa\u200bb\u2060c\u00add", "abcd"),
        ("a\U000e0041\U000e0042", "a"),
        ("a\ue000b\ufdd0c\ud800d\x1b[31me", "abcd[31me"),
        (f"{FAMILY[:-1]}\u200d\u200dx", f"{FAMILY[:-1]}x"),
    ],
)
def test_characters_that_only_deceive_are_removed(title: str, text: str):
    """N15: direction marks, zero-width spaces, tags and joiners without a visible effect are removed (F16)."""
    assert plain_text(title) == text


@given(st.text(max_size=400))
def test_plain_text_of_any_text_is_one_clean_line(markup: str):
    """The result has no line end, no control character and a limited length."""
    text = plain_text(markup)
    assert len(text) <= MAX_CHARACTERS
    assert text == text.strip()
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Co", "Zl", "Zp"} for char in text)


@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<a",
        "<!",
        "<!--",
        "<?",
        "</",
        "<a b='",
        '<a b="c',
        "&",
        "&#1",
        "<script>",
        "<script",
        "<![CDATA[",
        "\u200d",
    ],
)
def test_plain_text_of_hostile_markup_takes_milliseconds(unit: str):
    """N1: titles are also read in the event loop, so the time for any markup is bounded."""
    times = []
    for _ in range(3):  # the collector of garbage may run once
        started = time.process_time()
        plain_text(unit * 10_000)
        times.append(time.process_time() - started)
    assert min(times) < 0.1
