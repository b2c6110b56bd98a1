"""Explains errors of YAML's syntax: where they are, what was read, and what to write."""

from collections.abc import Mapping

import yaml

#: Characters that cannot begin a value, because YAML reserves them or gives them a meaning.
_NO_BEGINNINGS = "@`%"
#: Part of the parser's message → what is wrong and what to write, in the order in which they are tried.
_SENTENCES: Mapping[str, str] = {
    "mapping values are not allowed": (
        "a second colon makes a nested field here; put the value in quotes, or fix the indentation of this "
        "line or the one before"
    ),
    "block sequence entries are not allowed": "a list cannot begin here; write it on lines of its own, below its field",
    "mapping keys are not allowed": "a field cannot begin with ? here; put the text in quotes",
    "could not find expected ':'": (
        "a field needs a colon and a space after its name; write `name: value`, or fix the quotes and the indentation"
    ),
    "did not find expected '-' indicator": "the list ends here; begin each of its entries with - in the same column",
    "did not find expected key": "a field should begin here; fix the indentation, or the quotes or brackets before",
    "did not find expected ',' or ']'": (
        "the list [ … ] is not closed; write a comma between its entries, and ] at its end"
    ),
    "did not find expected ',' or '}'": (
        "the mapping { … } is not closed; write a comma between its fields, and } at its end"
    ),
    "did not find expected node content": "a value is missing here; write one, or remove the comma or bracket",
    "found unexpected end of stream": "the text in quotes is not closed; write the same quote at its end",
    "found unexpected document indicator": (
        "the text in quotes is not closed before ---; write the same quote at its end"
    ),
    "found unknown escape character": (
        "this character cannot follow a backslash; use single quotes, or write two backslashes"
    ),
    "did not find expected hexdecimal number": (
        "the escape \\x, \\u or \\U needs hexadecimal digits; correct it, or use single quotes"
    ),
    "found invalid Unicode character escape code": "the escape is not a character; write the character itself",
    "found a tab character": "a tab cannot indent; use spaces",
    "found an indentation indicator equal to 0": "the indentation after | or > is 1 to 9; remove the 0",
    "did not find expected comment or line break": (
        "only a comment can follow | or > here; write the text on the next lines"
    ),
    "found unexpected ':'": "a colon is not allowed in this value; put the value in quotes",
    "exceeded maximum nesting depth": "the values are nested too deeply; write fewer levels",
    "did not find expected <document start>": (
        "this line does not continue the document before it; fix its indentation, write --- before it, or remove it"
    ),
    "found incompatible YAML document": "this version of YAML is not known; remove the line that begins with %YAML",
    "directive": "this line begins with %, which is for directives of YAML; remove it",
    "while scanning an anchor": "a value that begins with & is an anchor in YAML; put the text in quotes",
    "while scanning a tag": "a value that begins with ! is a tag in YAML; put the text in quotes",
    "while parsing a tag": "a value that begins with ! is a tag in YAML; put the text in quotes",
    "undefined tag handle": "a value that begins with ! is a tag in YAML; put the text in quotes",
}
_OTHER = "it cannot be read from here on; fix the indentation, quote or bracket here"
_PREFIX = "YAML syntax: "


def explain(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Return the line of a syntax error, counted from 0, and a sentence that says what to write.

    Args:
        error: The error of PyYAML's parser.
        text: The text that it has read.
    """
    if isinstance(error, yaml.reader.ReaderError):
        return _explain_character(error, text)
    if not isinstance(error, yaml.MarkedYAMLError):
        return 0, f"{_PREFIX}{_OTHER}"
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    found = f"{error.context or ''}; {error.problem or ''}"
    if "exceeded maximum" not in found and "unexpected" in found and error.context_mark:
        line = error.context_mark.line  # where the quotes begin, because the end of the file says nothing
    rest = _rest_of_line(text, mark)
    if "while scanning an alias" in found:
        begin = _rest_of_line(text, error.context_mark) or rest
        quoted = f"{_value(begin)} begins with *, which is a reference in YAML; put the value in quotes"
        return (error.context_mark or mark).line if mark else line, f'{_PREFIX}{quoted}: "{_value(begin)}"'
    if "<document start>" in found and text.startswith("%"):
        return 0, f"{_PREFIX}a line that begins with % is for directives of YAML; remove it"
    if "cannot start any token" in found:
        return line, _PREFIX + _explain_beginning(rest)
    return line, _PREFIX + next((sentence for part, sentence in _SENTENCES.items() if part in found), _OTHER)


def _explain_beginning(rest: str) -> str:
    if rest[:1] == "\t":
        return "a tab cannot indent; use spaces"
    if rest[:1] and rest[0] in _NO_BEGINNINGS:
        return f'a value cannot begin with {rest[0]}; put it in quotes: "{_value(rest)}"'
    return _OTHER


def _explain_character(error: yaml.reader.ReaderError, text: str) -> tuple[int, str]:
    position = error.position if isinstance(error.position, int) else 0
    # The parser counts bytes, and the number of lines is the same.
    line = text.encode("utf-8", "replace")[:position].count(b"\n")
    code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
    return line, f"{_PREFIX}the character U+{code:04X} is not allowed; remove it, or write it as an escape in quotes"


def _rest_of_line(text: str, mark: yaml.Mark | None) -> str:
    lines = text.splitlines()
    return lines[mark.line][mark.column :] if mark and mark.line < len(lines) else ""


def _value(rest: str) -> str:
    """Return a value as the user wrote it, without a comment behind it."""
    return rest.partition(" #")[0].strip()[:100]
