"""The messages of a history: each task says by its name and attempt what it does, so no state decides about it."""

from dataclasses import dataclass

QUEUE = "history"
#: Retries after which a message of these tasks becomes a dead letter, and the delay of a retry in seconds.
MAX_RETRIES, RETRY_SECONDS = 3, 0.5
#: Number of workers that a message may kill.
MAX_DELIVERIES = 4


@dataclass(frozen=True, slots=True)
class Kind:
    """What the messages of one task do.

    Args:
        share: Share of all messages.
        fails: Number of first attempts that fail.
        seconds: Longest duration of an attempt in seconds. Durations are drawn evenly.
        delay: Longest delay of the message in seconds. Delays are drawn evenly.
        kills: Whether each attempt kills its worker.
        max_age: Age in seconds from which a worker skips the message, or 0.
        follower: Task that is enqueued after a success, by dramatiq's `on_success`.
    """

    share: float
    fails: int = 0
    seconds: float = 0.01
    delay: float = 0.0
    kills: bool = False
    max_age: float = 0.0
    follower: str = ""

    @property
    def is_doomed(self) -> bool:
        """Whether each message of the task becomes a dead letter."""
        return self.kills or self.fails > MAX_RETRIES


#: Name of the task → what it does.
KINDS = {
    "quick": Kind(0.58),
    "slow": Kind(0.08, seconds=0.5),
    "delayed": Kind(0.12, delay=3.0),
    "flaky_once": Kind(0.08, fails=1),
    "flaky_thrice": Kind(0.03, fails=3),
    "doomed": Kind(0.03, fails=9),
    "short_lived": Kind(0.03, max_age=2.0),
    "chained": Kind(0.0495, follower="follower"),
    "killer": Kind(0.0005, kills=True),
    "follower": Kind(0.0),
}
