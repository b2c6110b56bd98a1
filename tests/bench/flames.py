"""Records where a process spends its time with py-spy, and draws flame graphs.

py-spy is not a dependency; install it for this purpose (`pip install py-spy`) where PATH finds it. It records 500 times
a second which thread holds the lock of the interpreter, and where this thread is. Waiting is therefore not shown, and
the load of other processes does not matter. A frame is as wide as its share of the samples. Very narrow frames are left
out.
"""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

from bench.points import ROOT

#: If this variable is set, benchmarks draw flame graphs. Its value, such as `after`, ends the names of the files.
VARIABLE = "FLAMES"
#: function of the outermost frame, …, function of the innermost frame, each with its file.
Stack = tuple[str, ...]

_RATE = 500
_FRAME = re.compile(r"(.*) \((.*?)(?::\d+)?\)")
_WIDTH, _ROW, _TOP = 1_000, 16, 28
_SMALLEST = 2.0
_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#111827}.t{font-weight:600;font-size:13px}"
    "@media(prefers-color-scheme:dark){.t{fill:#e5e7eb}}"
)
#: Part of a file's path → color, so that it is visible whose code takes the time. The last one is for all others.
_COLORS = {
    "financehub": "#f59e0b",
    "httpx": "#93c5fd",
    "httpcore": "#60a5fa",
    "anyio": "#7dd3fc",
    "h11": "#67e8f9",
    "redis": "#fca5a5",
    "curl_cffi": "#86efac",
    "yfinance": "#bbf7d0",
    "asyncio": "#d8b4fe",
    "": "#d1d5db",
}


@contextmanager
def recorded(pid: int | None = None) -> Iterator[Counter[Stack]]:
    """Record the stacks of a process. The counter has all samples at the end.

    Args:
        pid: Its id, to record it and the processes that it has started (default: only this process).

    Raises:
        FileNotFoundError: py-spy is not installed.
    """
    samples: Counter[Stack] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "stacks"
        command = [
            "py-spy",
            "record",
            "--gil",
            "--rate",
            str(_RATE),
            "--full-filenames",
            "--format",
            "raw",
            "--output",
            str(path),
            *(["--pid", str(os.getpid())] if pid is None else ["--pid", str(pid), "--subprocesses"]),
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as spy:
            time.sleep(1)  # py-spy reads the symbols of the interpreter first
            yield samples
            spy.send_signal(signal.SIGINT)
        for line in path.read_text(encoding="utf-8").splitlines():
            stack, _, count = line.rpartition(" ")
            samples[tuple(map(_name, stack.split(";")))] += int(count)


def _name(frame: str) -> str:
    """Return the place and the function of a frame as py-spy writes it: `function (file:line)`."""
    found = _FRAME.fullmatch(frame)
    return f"{_place(found[2])} {found[1]}" if found else frame


def _place(path: str) -> str:
    """Return the package and the module of a source file."""
    for part in ("site-packages/", "/src/"):
        if part in path:
            return path.rpartition(part)[2]
    return "/".join(path.split("/")[-2:]) if "asyncio" in path else path.rpartition("/")[2]


def draw(samples: Counter[Stack], title: str) -> str:
    """Return an SVG.

    A stack begins with its first function of FinanceHub, so that tasks of the event loop and threads are side by side.

    Args:
        samples: The samples.
        title: The title.
    """
    tree: dict[str, list[object]] = {}
    total = 0
    for stack, count in samples.items():
        start = next((place for place, name in enumerate(stack) if name.startswith("financehub")), None)
        total += count
        _insert(tree, ("event loop and others",) if start is None else stack[start:], count)
    parts: list[str] = []
    depth = _draw_level(parts, tree, 0.0, 0, _WIDTH / max(total, 1))
    height = _TOP + _ROW * depth + 4
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">',
        f"<style>{_STYLE}</style>",
        f'<text class="t" x="4" y="16">{escape(title)}, {total / _RATE:.1f} s</text>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def _insert(tree: dict[str, list[object]], stack: Stack, count: int) -> None:
    for name in stack:
        node = tree.setdefault(name, [0, {}])
        node[0] = int(str(node[0])) + count
        assert isinstance(node[1], dict)
        tree = node[1]


def _draw_level(parts: list[str], tree: dict[str, list[object]], left: float, level: int, scale: float) -> int:
    """Draw the frames of one level and those above them. Return the number of levels drawn so far."""
    deepest = level
    for name, (count, callees) in sorted(tree.items()):
        width = int(str(count)) * scale
        if width >= _SMALLEST:
            place, _, function = name.rpartition(" ")
            color = next(color for package, color in _COLORS.items() if package in place)
            y = _TOP + level * _ROW
            label = function[: int(width / 6)] if width > 24 else ""
            parts.append(
                f'<g><title>{escape(name)} ({int(str(count))})</title><rect x="{left:.1f}" y="{y}" width="{width:.1f}" '
                f'height="{_ROW - 1}" fill="{color}"/><text x="{left + 2:.1f}" y="{y + 11}">{escape(label)}</text></g>'
            )
            assert isinstance(callees, dict)
            deepest = max(deepest, _draw_level(parts, callees, left, level + 1, scale), level + 1)
        left += width
    return deepest


@contextmanager
def drawn(part: str, title: str, pid: int | None = None) -> Iterator[None]:
    """Record a process, and write docs/images/flames-<part>-<value of FLAMES>.svg.

    Args:
        part: What is measured, in one or two words.
        title: Title of the graph.
        pid: Id of the process, to record it and the processes that it has started (default: only this process).

    Raises:
        FileNotFoundError: py-spy is not installed.
    """
    with recorded(pid) as samples:
        yield
    path: Path = ROOT / "docs" / "images" / f"flames-{part}-{os.environ[VARIABLE]}.svg"
    path.write_text(draw(samples, title), encoding="utf-8")
