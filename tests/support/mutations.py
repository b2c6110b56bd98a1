"""Damages one value or one element of a JSON document in every way that JSON allows, and in ways that it forbids.

A test reads each damaged document and compares everything that was not damaged with the result for the intact one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Keys and positions that lead to a value of a document.
Path = tuple[str | int, ...]

#: Values that are numbers. The adapter that reads them cannot know that they are damaged; validation decides.
NUMBERS: Mapping[str, bytes] = {
    "zero": b"0",
    "negative": b"-1",
    "huge integer": b"1" + b"0" * 30,
    "integer of 401 digits": b"1" + b"0" * 400,
    "71 digits": b"1." + b"3" * 70,
    "60 digits as text": b'"1.' + b"3" * 59 + b'"',
    "1e400": b"1e400",
    "1e150": b"1e150",
    "1e-150": b"1e-150",
    "1e-400": b"1e-400",
    "number as text": b'"7.5"',
}
#: Values that JSON allows and that are not numbers.
WRONG_VALUES: Mapping[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "false": b"false",
    "empty text": b'""',
    "word": b'"abc"',
    "NaN as text": b'"NaN"',
    "Infinity as text": b'"-Infinity"',
    "hexadecimal": b'"0x10"',
    "underscores": b'"1_000"',
    "digits of another script": '"\u0663\u0664"'.encode(),
    "comma": b'"1,5"',
    "spaces": b'" 1 "',
    "control character": b'"a\\u0000\\u001b[31mb"',
    "lone surrogate": b'"\\ud83d"',
    "very long text": b'"' + b"x" * 5_000 + b'"',
    "empty array": b"[]",
    "array": b"[null]",
    "nested array": b"[[[1]]]",
    "empty object": b"{}",
    "object": b'{"a":{"b":[1,{"c":null}]}}',
    "exponent beyond the range": b"1e9999",
    "exponent beyond Decimal's range": b"1e9999999",
    "thousands separator": b'"1,234.5"',
}
#: Texts that are not JSON and that replace a value or an element.
BROKEN_TEXTS: Mapping[str, bytes] = {
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "invalid escape": b'"\\u p"',
    "lone backslash": b'"a\\ b"',
    "escaped end of text": b'"a\\"',
    "text without an end": b'"abc',
    "unescaped quotes": b'"say "hi" twice"',
    "raw control character": b'"a\n\x01b"',
    "byte that is not UTF-8": b'"a\xffb"',
    "word without quotes": b"abc",
    "nothing": b"",
    "digits without an end": b"1" * 5_000,
    "exponent without an end": b"1e" + b"9" * 30,
    "deep nesting": b"[" * 20_000,
}
VALUES: Mapping[str, bytes] = {**NUMBERS, **WRONG_VALUES, **BROKEN_TEXTS}
_MARK = "@@the damaged value@@"


@dataclass(frozen=True)
class Mutation:
    """A damaged document.

    Args:
        name: The damage, in words.
        body: The document.
        path: Path of the damaged value.
        is_number: Whether the damaged value is a number, which only validation can refuse.
        is_element: Whether a whole element is damaged.
    """

    name: str
    body: bytes
    path: Path
    is_number: bool = False
    is_element: bool = False


def encode(document: Any) -> bytes:
    """Return the document in the form in which upstreams send it."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def paths_in(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all values in a value, without the value itself."""
    children: Sequence[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    for key, child in children:
        yield (*path, key)
        yield from paths_in(child, (*path, key))


def value_mutations(document: Any, path: Path) -> Iterator[Mutation]:
    """Yield every damage of one value: it is replaced or removed, or its key occurs twice."""
    prefix, suffix = _split(document, path)
    for name, text in VALUES.items():
        yield Mutation(name, prefix + text + suffix, path, is_number=name in NUMBERS)
    if isinstance(path[-1], str):
        key, value = encode(path[-1]), encode(_get(document, path))
        yield Mutation("key twice, then damaged", prefix + value + b"," + key + b":null" + suffix, path)
        yield Mutation("damaged, then key twice", prefix + b"null," + key + b":" + value + suffix, path)
        yield Mutation("key twice with another number", prefix + value + b"," + key + b":7.5" + suffix, path)
        yield Mutation("missing key", encode(_changed(document, path, _remove)), path)
        yield Mutation("key in another case", encode(_changed(document, path, _swap_case)), path)


def element_mutations(document: Any, path: Path) -> Iterator[Mutation]:
    """Yield every damage of a whole element: it is replaced or doubled, or has more keys."""
    prefix, suffix = _split(document, path)
    element = _get(document, path)
    bodies = {f"element is {name}": prefix + text + suffix for name, text in VALUES.items()}
    if isinstance(path[-1], int):
        text = encode(element)
        bodies["element twice"] = prefix + text + b"," + text + suffix
        bodies["element is cut"] = prefix + text[: len(text) // 2] + suffix
        bodies["element removed"] = encode(_changed(document, path, _remove))
    if isinstance(element, dict):
        extra = {"": 1, "__proto__": {"a": 1}, "constructor": "x", "\u202eevil\x1b": [None], "x" * 1_000: "y" * 1_000}
        bodies["more keys"] = encode(_changed(document, path, lambda at, key: at[key].update(extra)))
    for name, body in bodies.items():
        yield Mutation(name, body, path, is_element=True)


def _split(document: Any, path: Path) -> tuple[bytes, bytes]:
    """Return the document's text before and after a value."""

    def mark(parent: Any, key: str | int) -> None:
        parent[key] = _MARK

    before, _, after = encode(_changed(document, path, mark)).partition(encode(_MARK))
    return before, after


def _changed(document: Any, path: Path, change: Any) -> Any:
    """Return a copy of the document to which `change(parent, key)` was applied."""
    copy = json.loads(json.dumps(document))
    change(_get(copy, path[:-1]), path[-1])
    return copy


def _get(document: Any, path: Path) -> Any:
    for key in path:
        document = document[key]
    return document


def _remove(parent: Any, key: str | int) -> None:
    del parent[key]


def _swap_case(parent: Any, key: Any) -> None:
    parent[key.swapcase() if key.swapcase() != key else f"{key}_"] = parent.pop(key)
