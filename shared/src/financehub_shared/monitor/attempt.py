"""One attempt: one try of a run in this process."""

from dataclasses import dataclass

from dramatiq import MessageProxy


@dataclass(frozen=True, slots=True)
class Flight:
    """One try of one message, running in this process.

    Args:
        message: the message.
        delivery: names this enqueue of the message: new at every enqueue, kept by a redelivery.
        started_at: Unix seconds.
        started: monotonic seconds.
        time_limit: seconds it may take.
    """

    message: MessageProxy
    delivery: str
    started_at: float
    started: float
    time_limit: float

    @property
    def task(self) -> str:
        return self.message.actor_name

    @property
    def queue(self) -> str:
        return self.message.queue_name

    @property
    def try_number(self) -> int:
        """1 for the first try."""
        return int(self.message.options.get("retries", 0)) + 1
