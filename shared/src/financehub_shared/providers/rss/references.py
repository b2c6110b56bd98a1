"""Repairs ampersands that do not begin a reference, and references to characters that XML does not allow. Pure.

Each of them makes a document ill-formed, and then the feed parser guesses: `S&P 500` becomes `S&P; 500`.
"""

import re

# Possessive quantifiers never backtrack, so a search takes linear time.
_REFERENCES = re.compile(
    r"(?P<section><!\[CDATA\[.*?(?:\]\]>|$))|(?P<numbers>(?:&#(?:\d{1,9}|[xX][\da-fA-F]{1,8});)++)|&(?!#?\w++;)",
    re.DOTALL | re.ASCII,
)
_NUMBER = re.compile(r"&#(?:[xX]([\da-fA-F]+)|(\d+));", re.ASCII)
_ALLOWED = re.compile("[\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def with_valid_references(document: str) -> str:
    """Return an XML document in which each ampersand outside CDATA sections begins a reference that XML allows.

    A surrogate pair, such as the `&#xD83D;&#xDE80;` that some programs write instead of an emoji, becomes one
    character. References to other characters that XML does not allow are removed.
    """
    return _REFERENCES.sub(_valid, document) if "&" in document else document


def _valid(found: re.Match[str]) -> str:
    if found["section"]:
        return found[0]
    return _allowed(found["numbers"]) if found["numbers"] else "&amp;"


def _allowed(references: str) -> str:
    numbers = [
        int(hexadecimal, 16) if hexadecimal else int(decimal) for hexadecimal, decimal in _NUMBER.findall(references)
    ]
    text = "".join(map(chr, (number for number in numbers if number < 0x110000)))
    if len(text) == len(numbers) and all(map(_ALLOWED.match, text)):
        return references
    # UTF-16 joins the halves of a pair, and a half without the other is not valid there.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return "".join(f"&#{ord(char)};" for char in joined if _ALLOWED.match(char))
