"""Answers whether everything is all right, in one sentence with its reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

from financehub_shared.health.report import HealthReport, HealthStatus
from financehub_web.console.attention import Attention

_MARKS = {HealthStatus.OK: "✓", HealthStatus.DEGRADED: "▲", HealthStatus.DOWN: "✗"}
_WORDS = {HealthStatus.OK: "All right", HealthStatus.DEGRADED: "Degraded", HealthStatus.DOWN: "Down"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Args:
        report: The report with all checks.
        sentence: The answer in one sentence.
        reasons: (subject, problem) of each check that is not ok.
        attention: What needs attention besides these checks.
    """

    report: HealthReport
    sentence: str
    reasons: Sequence[tuple[str, str]]
    attention: Attention

    @property
    def is_all_right(self) -> bool:
        """Whether every check is ok and nothing else needs attention."""
        return self.report.status is HealthStatus.OK and not self.attention.parts

    @property
    def tone(self) -> HealthStatus:
        """The status whose mark and color the answer has. What needs attention is a warning, and not an outage."""
        if self.report.status is HealthStatus.OK and not self.is_all_right:
            return HealthStatus.DEGRADED
        return self.report.status

    @property
    def mark(self) -> str:
        """A sign for the title of the page."""
        return _MARKS[self.tone]

    @property
    def word(self) -> str:
        """The answer in a word or two."""
        return "Needs attention" if self.tone is not self.report.status else _WORDS[self.report.status]


def verdict_of(report: HealthReport, attention: Attention) -> Verdict:
    """Return the answer from the health report and from what else needs attention."""
    reasons = [(check.name, check.reason) for check in report.checks if check.status is not HealthStatus.OK]
    return Verdict(report, _sentence(report.status, len(reasons), attention), reasons, attention)


def unavailable(problem: str, at: float) -> Verdict:
    """Return the answer if Redis does not answer.

    Args:
        problem: Why it does not answer.
        at: Time of the newest data in Unix seconds.
    """
    report = HealthReport(HealthStatus.DOWN, at, ())
    return Verdict(report, "FinanceHub is down, because Redis does not answer.", [("redis", problem)], Attention())


def _sentence(status: HealthStatus, problems: int, attention: Attention) -> str:
    if status is HealthStatus.DOWN:
        return "FinanceHub is down."
    problem = [(problems, "problem" if attention.parts else "thing")] if problems else []
    parts = [*problem, *attention.parts]
    if not parts:
        return "Everything is all right."
    *first, last = [
        f"{'one' if count == 1 else f'{count:,}'} {noun}{'' if count == 1 else 's'}" for count, noun in parts
    ]
    subject = f"{', '.join(first)} and {last}" if first else last
    verb = "needs" if sum(count for count, _ in parts) == 1 else "need"
    return f"{subject[0].upper()}{subject[1:]} {verb} attention."
