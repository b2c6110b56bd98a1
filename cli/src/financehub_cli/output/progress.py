"""Shows the progress of what a command waits for, in one line on stderr that replaces itself."""

import shutil
import sys
from types import TracebackType
from typing import Self

from financehub_cli.output.text import plain_text, text_width, wrap_words

_START_OF_LINE = "\r\x1b[K"


class ProgressLine:
    """A line on stderr, which disappears at the end. It is shown only on a terminal.

    Args:
        is_wanted: Whether the line is wanted at all.
    """

    def __init__(self, *, is_wanted: bool) -> None:
        self._is_shown = is_wanted and sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Replace the line.

        Args:
            text: The new text, which is cut at the end of the line of the terminal.
        """
        if self._is_shown:
            width = max(shutil.get_terminal_size().columns - 2, 4)
            line = plain_text(text)
            self._write(
                _START_OF_LINE + (line if text_width(line) <= width else f"{wrap_words(line, width, '…')[0]} …")
            )

    def clear(self) -> None:
        """Remove the line, before another message is printed."""
        if self._is_shown:
            self._write(_START_OF_LINE)

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # the progress is not worth an error
            self._is_shown = False
