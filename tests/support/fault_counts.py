"""What a fault did to messages and due times, and the table of all faults that a test run counted."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

#: Queue and task of the messages that are counted.
QUEUE, TASK = "counted", "count_task"
#: Name of the property of a test report that contains a row of the table.
PROPERTY = "fault_counts"
_COLUMNS = (
    *("fault", "server", "sent", "run", "doubled", "lost"),
    *("due expected", "enqueued", "doubled", "missing"),
)


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one fault.

    Args:
        sent: Messages that Redis accepted from the sender.
        run: Those of them that ran.
        doubled: Surplus runs of messages, including messages whose enqueue had an unknown result.
        lost: Accepted messages that did not run.
        due_expected: Due times of the schedules until the sender stopped.
        due_enqueued: Those of them whose message ran.
        due_doubled: Surplus runs of due times.
        due_missing: Due times whose message did not run.
    """

    sent: int
    run: int
    doubled: int
    lost: int
    due_expected: int
    due_enqueued: int
    due_doubled: int
    due_missing: int

    @classmethod
    def of(
        cls,
        accepted: set[int],
        runs: Counter[int],
        expected: set[tuple[str, int]],
        due_runs: Counter[tuple[str, int]],
    ) -> "Counts":
        """Compare what was expected with what ran.

        Args:
            accepted: Tags of the messages that Redis accepted.
            runs: Tag → number of its runs.
            expected: Schedule and due time of each expected run.
            due_runs: Schedule and due time → number of its runs.
        """
        return cls(
            sent=len(accepted),
            run=len(accepted & runs.keys()),
            doubled=runs.total() - len(runs),
            lost=len(accepted - runs.keys()),
            due_expected=len(expected),
            due_enqueued=len(expected & due_runs.keys()),
            due_doubled=due_runs.total() - len(due_runs),
            due_missing=len(expected - due_runs.keys()),
        )


def row(fault: str, server: str, counts: Counts) -> list[str]:
    """Return a row of the table."""
    return [fault, server, *(str(value) for value in astuple(counts))]


def table(rows: Iterable[list[str]]) -> str:
    """Return the table of the given rows, sorted by fault and server."""
    lines = [list(_COLUMNS), *sorted(rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]

    def text(line: list[str]) -> str:
        cells = zip(line, widths, strict=True)
        # Names are on the left, and numbers on the right.
        return " | ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(cells)
        )

    return "\n".join(f"| {text(line)} |" for line in lines)


def write_table(rows: list[list[str]], file: Path) -> str:
    """Write the table to a file and return it."""
    file.parent.mkdir(exist_ok=True)
    lines = table(rows)
    file.write_text(lines + "\n", encoding="utf-8")
    return lines
