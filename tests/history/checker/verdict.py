"""What is promised, and what a check found."""

from collections import Counter
from dataclasses import dataclass, field

from history.plan import MAX_DELIVERIES, MAX_RETRIES


@dataclass(frozen=True, slots=True)
class Promises:
    """The limits against which a history is checked.

    Args:
        heartbeat_seconds: Age of its last heartbeat at which a worker counts as dead.
        janitor_seconds: Seconds between two rounds of the janitor.
        recovery_seconds: Seconds after an outage of Redis in which the janitor reclaims nothing.
        slack_seconds: Additional seconds for a redelivery and for the begin of a round of the janitor, for processes
            that wait for the CPU of a busy machine.
        round_seconds: Longest time of a round of the janitor. It has a hundred commands, which take long on a busy
            machine.
        command_seconds: Timeout of a command. A round that waits for a reply notices the end of an outage with it.
        max_retries: Retries after which a message becomes a dead letter.
        max_deliveries: Number of workers that a message may kill.
    """

    heartbeat_seconds: float = 10.0
    janitor_seconds: float = 1.0
    recovery_seconds: float = 10.0
    slack_seconds: float = 10.0
    round_seconds: float = 20.0
    command_seconds: float = 5.0
    max_retries: int = MAX_RETRIES
    max_deliveries: int = MAX_DELIVERIES

    @property
    def redelivery_seconds(self) -> float:
        """Seconds from the death of a worker within which what it held must be back in its queue."""
        return self.heartbeat_seconds + self.janitor_seconds + self.slack_seconds

    @property
    def outage_seconds(self) -> float:
        """Seconds after an outage in which the janitor may reclaim nothing: a round fails, and then it waits."""
        return self.command_seconds + self.janitor_seconds + self.recovery_seconds


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise.

    Args:
        rule: Name of the rule.
        subject: The delivery, message, task or key.
        text: What happened.
    """

    rule: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.text}"


@dataclass(slots=True)
class Verdict:
    """The result of a check.

    Args:
        violations: Broken promises.
        counts: What the history contains.
        excused: Reason of a loss by design → number of messages that it affected.
        redeliveries: Seconds of available time from the death of a worker to the next fetch of each of its messages.
        pauses: Seconds between the end of a round of a janitor and the begin of the next one.
    """

    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    redeliveries: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def violate(self, rule: str, subject: str, text: str) -> None:
        """Add a broken promise."""
        self.violations.append(Violation(rule, subject, text))

    def rules(self) -> set[str]:
        """Return the names of the broken rules."""
        return {violation.rule for violation in self.violations}
