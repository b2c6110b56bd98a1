"""Answers whether everything is all right, in one sentence with its reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

from financehub_shared.health.checks import FleetSnapshot
from financehub_shared.health.report import HealthReport, HealthStatus
from financehub_web.reading.cache import Reading
from financehub_web.reading.fleet import Fleet

_MARKS = {HealthStatus.OK: "✓", HealthStatus.DEGRADED: "▲", HealthStatus.DOWN: "✗"}
_WORDS = {HealthStatus.OK: "All right", HealthStatus.DEGRADED: "Degraded", HealthStatus.DOWN: "Down"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Args:
        status: The status of the fleet.
        sentence: The answer in one sentence.
        reasons: (subject, problem) of each check that is not ok.
        report: The report with all checks.
    """

    status: HealthStatus
    sentence: str
    reasons: Sequence[tuple[str, str]]
    report: HealthReport

    @property
    def mark(self) -> str:
        """A sign for the title of the page."""
        return _MARKS[self.status]

    @property
    def word(self) -> str:
        """The status in a word or two."""
        return _WORDS[self.status]


def verdict_of(reading: Reading[FleetSnapshot], fleet: Fleet) -> Verdict:
    """Return the answer from a snapshot of the fleet."""
    if reading.problem:
        return unavailable(reading.problem, reading.at)
    report = fleet.report_of(reading.value)
    reasons = [(check.name, check.reason) for check in report.checks if check.status is not HealthStatus.OK]
    return Verdict(report.status, _sentence(report.status, len(reasons)), reasons, report)


def unavailable(problem: str, at: float) -> Verdict:
    """Return the answer if Redis does not answer."""
    report = HealthReport(HealthStatus.DOWN, at, ())
    return Verdict(
        HealthStatus.DOWN, "FinanceHub is down, because Redis does not answer.", [("redis", problem)], report
    )


def _sentence(status: HealthStatus, problems: int) -> str:
    if status is HealthStatus.OK:
        return "Everything is all right."
    if status is HealthStatus.DOWN:
        return "FinanceHub is down."
    return "One thing needs attention." if problems == 1 else f"{problems} things need attention."
