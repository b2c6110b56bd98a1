"""Writes to stdout and stderr, and knows what the terminal can show."""

import errno
import io
import os
import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

from financehub_cli.exit_codes import OutputClosedError, OutputError
from financehub_cli.output.layout import Terminal, table_lines
from financehub_cli.output.table import Table
from financehub_cli.output.text import Styled, colored, plain_text, wrap_words

#: Errors of a write to the output: a full disk or quota, a broken disk, and a reader that has gone.
OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE, errno.EBADF, errno.EFBIG)

#: Smallest width of a line behind its indentation.
MOST_INDENTED = 12

#: What a command prints: lines of text, tables, and sequences of both.
Content = str | Styled | Table | Sequence["Content"]


def prepare_streams() -> None:
    """Make stdout and stderr accept every character. Those that their encoding does not have become escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_unicode(stream: TextIO) -> bool:
    """Whether the encoding of a stream has all characters."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def read_terminal(*, wide: bool = False) -> Terminal:
    """Return what stdout can show. If it is not a terminal, lines have any length and no colors.

    Args:
        wide: Whether lines may be longer than the terminal.
    """
    stream = sys.stdout
    if not stream.isatty():
        return Terminal(unicode=is_unicode(stream))
    color = "NO_COLOR" not in os.environ and os.environ.get("TERM") not in {"dumb", "unknown"}
    return Terminal(None if wide else shutil.get_terminal_size().columns, color, is_unicode(stream))


def write(text: str) -> None:
    """Write text to stdout.

    Raises:
        OutputError: It cannot be written. The reader has gone if it is an OutputClosedError.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise OutputClosedError("the output cannot be written: its reader has gone") from error
    except OSError as error:
        if error.errno not in OUTPUT_ERRORS:
            raise
        raise OutputError(f"the output cannot be written: {error.strerror or error}") from error


def content_lines(content: Content, terminal: Terminal) -> list[str]:
    """Return the lines of a content.

    Args:
        content: A string has its own line feeds, and its untrusted parts are escaped.
        terminal: Where the lines are shown.
    """
    if isinstance(content, Table):
        return table_lines(content, terminal)
    if isinstance(content, Styled):
        lines = _fitted(plain_text(content), terminal)
        return [colored(line, content.style) for line in lines] if terminal.color else lines
    if isinstance(content, str):
        lines = plain_text(content, keep_lines=True).expandtabs().split("\n")
        return [part for line in lines for part in _fitted(line, terminal)]
    return [line for part in content for line in content_lines(part, terminal)]


def _fitted(line: str, terminal: Terminal) -> list[str]:
    """Return a line in parts that fit, with the same indentation. A word that is longer stays whole."""
    if terminal.width is None:
        return [line]
    text = line.lstrip()
    indent = line[: len(line) - len(text)]
    return [indent + part for part in wrap_words(text, max(terminal.width - len(indent), MOST_INDENTED), "")]
