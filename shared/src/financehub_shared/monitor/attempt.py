"""One attempt of a run in this process."""

from dataclasses import dataclass

from dramatiq import MessageProxy


# A frozen class takes three times as long to create, and each message needs one.
@dataclass(slots=True)
class Attempt:
    """One attempt of a run, while it runs in this process.

    Args:
        message: Message of the run.
        id: Id of the attempt, from `broker.message.attempt_id`; a redelivery has the same id.
        started_at: Start in Unix seconds.
        started: Start in monotonic seconds.
        time_limit: Maximum duration in seconds.
    """

    message: MessageProxy
    id: str
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
    def number(self) -> int:
        """The attempt's number, starting at 1."""
        return int(self.message.options.get("retries", 0)) + 1
