"""Quick checks of headlines, which avoid the search for patterns that most headlines do not contain. Pure."""

import re

_DIGIT = re.compile("[0-9]")


def may_contain(text: str, *words: str) -> bool:
    """Whether a pattern that ignores case could find one of these words in a text.

    Args:
        text: The text. If it is not ASCII, any pattern could match, because the letters of other alphabets that equal
            an ASCII letter when case is ignored, such as the Turkish dotless i, are not in the words.
        words: The words in lower case.
    """
    if not text.isascii():
        return True
    lower = text.lower()
    return any(word in lower for word in words)


def has_digit(text: str) -> bool:
    """Whether a text contains a digit of any script."""
    return _DIGIT.search(text) is not None or (not text.isascii() and any(map(str.isdigit, text)))
