"""Shows a result on the whole screen of a terminal, and replaces it with each refresh."""

import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from financehub_cli.output.options import OUTPUT
from financehub_cli.output.terminal import Content, content_lines, read_terminal, write

#: The alternate screen, without the cursor and without wrapping of lines, so that no line takes two.
_OPEN, _CLOSE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_TOP, _END_OF_LINE, _END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


class Screen:
    """The alternate screen of the terminal, from its first use until it is closed.

    The last result stays visible after the end, on the usual screen.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._is_open = False

    def show(self, content: Content, notes: Sequence[str]) -> None:
        """Replace the shown result.

        Args:
            content: The result.
            notes: Lines that are shown below it.
        """
        terminal = read_terminal(wide=OUTPUT.get().wide)
        self._lines = content_lines(content, terminal)
        self._draw([line for note in notes for line in content_lines(f"note: {note}", terminal)])

    def show_problem(self, message: str) -> None:
        """Show below the last result why a newer one is missing."""
        self._draw(content_lines(f"problem: {message}", read_terminal()))

    def close(self) -> None:
        """Return to the usual screen and print the last result in full."""
        if self._is_open:
            self._is_open = False
            write(_CLOSE + "".join(f"{line}\n" for line in self._lines))

    def _draw(self, last: Sequence[str]) -> None:
        start = "" if self._is_open else _OPEN
        self._is_open = True
        height = max(shutil.get_terminal_size().lines, 1)
        last = last[: height // 2]
        room = max(height - len(last), 1)
        lines = self._lines
        if len(lines) > room:
            hidden = len(lines) - room + 1
            more = f"({hidden:,} more line{'s' * (hidden != 1)}; enlarge the terminal to see them)"
            lines = [*lines[: room - 1], more]
        text = "\n".join(f"{line}{_END_OF_LINE}" for line in [*lines, *last])
        write(f"{start}{_TOP}{text}{_END_OF_SCREEN}")


@contextmanager
def ending_at_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an exit, so that the terminal is restored before the command ends."""
    signals = (signal.SIGTERM, signal.SIGHUP)
    previous = [signal.signal(number, _exit) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, previous, strict=True):
            signal.signal(number, handler)


def _exit(number: int, _: object) -> NoReturn:
    # the exit code of a process that the signal has ended, as shells show it
    raise SystemExit(128 + number)
