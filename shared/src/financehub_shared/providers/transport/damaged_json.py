"""Reads an array or object element by element if some of its elements are not JSON. Pure.

Upstreams write JSON with templates, so a backslash in one title makes the whole answer invalid (gdelt-doc-api #26).
The end of the answer must be intact. A truncated answer is refused as a whole, because the elements that it lost are
unknown.
"""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

#: Errors that Python's parser raises for invalid JSON, too deep nesting, and an exponent beyond Decimal's range.
PARSE_ERRORS = (ValueError, RecursionError, ArithmeticError)
_CONSTANTS = frozenset({"NaN", "Infinity", "-Infinity"})
#: Largest number of texts that turn out not to be JSON. This and the next limit bound the CPU time of a hostile answer.
FAILURES_MAX = 200
#: Largest number of characters that are parsed without a result, as a multiple of the answer's length.
WASTE_MAX = 3
#: Number of closing brackets, counted from the end of the answer, that may be the end of the array if its last element
#: is damaged.
_CLOSERS_MAX = 5
#: Number of times that a text can be copied in the time that parsing it takes.
_COPIES_PER_PARSE = 16
_SPACE = re.compile(r"\s*")
_KEY = re.compile(r'"([^"\\]*)"\s*:\s*')
#: Places after a damaged element where the next item of an array or member of an object may begin.
_NEXT_ITEM = re.compile(r",\s*(?=\{)")
_NEXT_MEMBER = re.compile(r',\s*(?="[^"\\]{1,100}"\s*:\s*\{)')


@dataclass(frozen=True, slots=True)
class Damaged:
    """An element that is not JSON, or a value whose key occurs more than once with different values.

    Args:
        text: Text of the element. Empty for such a value.
        problem: What is wrong with it.
    """

    text: str
    problem: str


def refuse_constant(constant: str) -> NoReturn:
    """Refuse NaN, Infinity and -Infinity, which Python's parser would accept."""
    raise ValueError(constant)


def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. If a key occurs more than once with different values, nothing shows which one is right."""
    found = dict(pairs)
    if len(found) < len(pairs):
        first: dict[str, Any] = {}
        for key, value in pairs:
            if first.setdefault(key, value) != value:
                found[key] = Damaged("", "its key occurs more than once, with different values")
    return found


def describe_problem(error: Exception, start: int = 0) -> str:
    """Return why a text is not JSON, without quoting it.

    Args:
        error: One of `PARSE_ERRORS`.
        start: Position in the text from which positions are counted.
    """
    match error:
        case ValueError() if str(error) in _CONSTANTS:
            return f"{error} is not a number"
        case json.JSONDecodeError():
            message = error.msg.removesuffix(" at").removesuffix(" starting")
            return f"{message[:1].lower()}{message[1:]} at character {error.pos - start}"
        case UnicodeDecodeError():
            return f"byte {error.start - start} is not UTF-8"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return "a number has too many digits"


#: It accepts control characters in strings, because titles contain them.
_DECODER = json.JSONDecoder(
    strict=False, parse_float=Decimal, parse_constant=refuse_constant, object_pairs_hook=read_object
)


def read_elements(body: bytes, key: str) -> Any:
    """Parse a document and replace each element that is not JSON with a `Damaged`.

    Args:
        body: The document, which is not JSON as a whole.
        key: Key of the array or object with the elements. Empty if the document itself is the array.

    Returns:
        The document, or None if anything except elements of this array or object is damaged.
    """
    # A byte that is not UTF-8 damages one character of a title, or makes a number invalid.
    text = body.decode(json.detect_encoding(body), errors="replace")
    opening = re.search(rf'"{re.escape(key)}"\s*:\s*(?=[\[{{])', text) if key else re.match(r"\s*(?=\[)", text)
    if opening is None:
        return None
    try:
        return _Scanner(text, opening.end()).document(key)
    except PARSE_ERRORS:
        return None


class _Scanner:
    """Reads the elements of one array or object.

    Args:
        text: The document.
        start: Position of the opening bracket.
    """

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._start = start
        self._is_array = text[start] == "["
        self._closer = "]" if self._is_array else "}"
        self._failures_left = FAILURES_MAX
        self._waste_left = WASTE_MAX * len(text)

    def document(self, key: str) -> Any:
        """Return the document with its elements.

        Raises:
            ValueError: Anything except elements is damaged, or a limit is exceeded.
        """
        elements, end = self._elements()
        if all(isinstance(value, Damaged) for _, value in elements):
            raise ValueError("no element is intact")
        filled: Any = [value for _, value in elements] if self._is_array else dict(elements)
        document = self._without_elements(end)
        if not key:
            return filled
        _fill(document, key, filled)
        return document

    def _without_elements(self, end: int) -> Any:
        """Parse the text around the elements, which must be intact."""
        return _DECODER.decode(self._text[: self._start + 1] + self._text[end:])

    def _elements(self) -> tuple[list[tuple[str, Any]], int]:
        """Return the keys and values of all elements, and the position of the closing bracket."""
        elements: list[tuple[str, Any]] = []
        position = self._skip_space(self._start + 1)
        while self._text[position : position + 1] != self._closer:
            try:
                name, value, end = self._element(position)
                if self._text[end] == self._closer and not self._is_end(end):
                    raise json.JSONDecodeError("Expecting ',' delimiter", self._text, end)
            except PARSE_ERRORS as error:
                end = self._end_of_damaged(position)
                damaged = self._text[position:end]
                known = _KEY.match(damaged)
                name, value = known[1] if known else "", Damaged(damaged, describe_problem(error, position))
            elements.append((name, value))
            if self._text[end] == self._closer:
                return elements, end
            position = self._skip_space(end + 1)
        return elements, position

    def _element(self, position: int) -> tuple[str, Any, int]:
        """Return key and value of the element at `position`, and the position of the comma or bracket after it."""
        name = ""
        try:
            value_at = position
            if not self._is_array:
                key = _KEY.match(self._text, position)
                if key is None:
                    raise json.JSONDecodeError("Expecting property name", self._text, position)
                name, value_at = key[1], key.end()
            value, end = _DECODER.raw_decode(self._text, value_at)
            end = self._skip_space(end)
            if self._text[end : end + 1] not in {",", self._closer}:
                raise json.JSONDecodeError("Expecting ',' delimiter", self._text, end)
        except PARSE_ERRORS as error:
            self._failures_left -= 1
            if isinstance(error, json.JSONDecodeError):
                self._waste_left -= error.pos - position
            raise
        return name, value, end

    def _end_of_damaged(self, position: int) -> int:
        """Return the end of the damaged element at `position`: a comma before an element, or the closing bracket.

        Raises:
            ValueError: There is no such place.
        """
        pattern = _NEXT_ITEM if self._is_array else _NEXT_MEMBER
        for boundary in pattern.finditer(self._text, position):
            if self._failures_left < 0 or self._waste_left < 0:
                raise ValueError("too much is damaged")
            try:
                self._element(boundary.end())
            except PARSE_ERRORS:
                continue
            return boundary.start()
        end = len(self._text)
        for _ in range(_CLOSERS_MAX):
            end = self._text.rfind(self._closer, position, end)
            if end < 0:
                break
            if self._is_end(end):
                return end
        raise ValueError("the end of the elements is damaged")

    def _is_end(self, end: int) -> bool:
        """Whether the bracket at `end` is the end of the elements, and not of an array or object in a damaged element.

        It is the end if the text around the elements is valid. Otherwise, the parser fails directly after the bracket.
        """
        try:
            self._without_elements(end)
        except PARSE_ERRORS:
            self._waste_left -= len(self._text) // _COPIES_PER_PARSE
            return False
        return True

    def _skip_space(self, position: int) -> int:
        match = _SPACE.match(self._text, position)
        return match.end() if match else position


def _fill(document: Any, key: str, elements: Any) -> bool:
    """Set the first `key` in the document to the elements, and return whether the document has this key."""
    if not isinstance(document, dict):
        return False
    if key in document:
        document[key] = elements
        return True
    return any(_fill(value, key, elements) for value in document.values())
