"""Text from outside, made safe to store and to print."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.text import counted, dump_json, one_line, printable, safe_text, storable, type_name

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=50)
EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def test_printable_with_every_character_of_unicode_is_printable() -> None:
    """No character can control a terminal, and characters that need no escape stay as they are."""
    for character in EVERY_CHARACTER:
        shown = printable(character)
        assert shown.isprintable()
        assert shown == character or not character.isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\ud800", r"\ud800"),
        ("\u00a0\u3000", "  "),
        ("\u200b\ufeff\u00ad", r"\u200b\ufeff\xad"),
        ("\U000e0041", r"\U000e0041"),
        ("é 日本 😀 ß", "é 日本 😀 ß"),
        (BIDI, "".join(f"\\u{ord(character):04x}" for character in BIDI)),
    ],
)
def test_printable_escapes_what_is_not_printable(text: str, expected: str) -> None:
    """Control characters, changes of direction, invisible characters and lone surrogates are visible escapes."""
    assert printable(text) == expected


def test_printable_with_lines_keeps_only_line_feeds_and_tabs() -> None:
    """A traceback keeps its lines, but no other control character."""
    assert printable("a\n\tb\r\x1b\u2028", keep_lines=True) == "a\n\tb\\r\\x1b\\u2028"


@given(ANY_TEXT)
def test_one_line_of_any_text_is_one_printable_line(text: str) -> None:
    """Line breaks become spaces."""
    assert one_line(text).isprintable()
    assert "  " not in one_line(f" {text} \r\n x").strip() or "\\" in one_line(text)


@given(ANY_TEXT)
def test_storable_text_can_be_encoded_and_is_otherwise_unchanged(text: str) -> None:
    """Only lone surrogates change."""
    assert storable(text).encode().decode() == storable(text)
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert storable(text) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON, indent=st.sampled_from((None, 2)), ascii_only=st.booleans())
def test_dump_json_of_any_json_is_printable_and_decodes_to_the_original(
    value: Any, indent: int | None, ascii_only: bool
) -> None:
    """Keys and values are escaped, and the only line feeds are those of the indent."""
    text = dump_json(value, indent=indent, ascii_only=ascii_only)
    assert text.replace("\n", "").isprintable()
    assert text.isascii() or not ascii_only
    assert "\n" not in text or indent
    assert json.loads(text) == json.loads(json.dumps(value))  # JSON joins the two halves of a surrogate pair


class Hostile(str):
    """A string whose text raises."""

    __slots__ = ()

    def __str__(self) -> str:
        raise KeyboardInterrupt


class NoText:
    """An object whose `__str__` returns no string."""

    def __str__(self) -> str:
        return 7  # type: ignore[return-value]  # noqa: PLE0307


class Meta(type):
    """A class of classes without a usable name."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise SystemExit


class Nameless(metaclass=Meta):
    """An object whose class raises when its name is read."""

    def __str__(self) -> str:
        raise RecursionError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Hostile("text"), "text"),
        (NoText(), "(NoText without text: its __str__ raised TypeError)"),
        (Nameless(), "(Nameless without text: its __str__ raised RecursionError)"),
        (10**5_000, "(int without text: its __str__ raised ValueError)"),
        ("plain", "plain"),
    ],
    ids=["raises", "no string", "nameless", "huge number", "plain"],
)
def test_safe_text_of_any_object_does_not_raise(value: object, expected: str) -> None:
    """An object without a usable text is shown with its class and the reason."""
    assert safe_text(value) == expected


def test_type_name_with_control_characters_is_printable_and_short() -> None:
    """The name of a class may be any text."""
    assert type_name(type("a\n\x1b" + "x" * 500, (), {})) == "a\\n\\x1b" + "x" * 93


def test_dump_json_of_values_without_a_json_form_makes_text_of_them() -> None:
    """Numbers that are not finite, other keys, and endless structures do not make the output invalid."""
    loop: list[Any] = []
    loop.append(loop)
    value = {1: float("nan"), None: float("-inf"), (1, 2): NoText(), "loop": loop, "bytes": b"\xff", "huge": 10**5_000}
    decoded = json.loads(dump_json(value), parse_constant=pytest.fail)
    assert (decoded["1"], decoded["None"], decoded["bytes"]) == ("nan", "-inf", "b'\\xff'")
    assert "NoText" in decoded["(1, 2)"]
    assert "int" in decoded["huge"]


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages"), (1_200, "1,200 messages")]
)
def test_counted_things_are_plural_except_for_one(number: int, text: str) -> None:
    """Only one thing is singular, and large numbers have separators."""
    assert counted(number, "message") == text
