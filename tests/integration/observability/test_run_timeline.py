"""Tests of the timeline of runs that a real worker has run."""

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.views.run_details import run_timeline
from support.observed import ObservedWorker


def test_timeline_of_a_dead_lettered_run_has_the_attempts_of_its_dead_letter(redis_url: str) -> None:
    """The record has the id of the dead letter, so the letter is found without a search after several attempts too."""
    fleet = ObservedWorker(redis_url)

    def task() -> None:
        raise ValueError("no")

    message = fleet.actor(task, max_retries=1).send()
    fleet.drain()
    run = fleet.monitor.get_run(message.message_id)
    assert run is not None
    letter = DeadLetterQueue(fleet.client).show(run.redis_id)
    assert letter is not None
    assert (letter.message_id, len(letter.failures)) == (message.message_id, 2)
    steps = [each["step"] for each in run_timeline(run, letter)]
    assert steps == ["enqueued", "attempt failed", "attempt started", "attempt failed", "dead-lettered"]
