"""Says which process is missing so that work is done, and what to do: one judgment for reports, commands and pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from financehub_shared.core.catalog import CATALOG, Tier
from financehub_shared.core.near_names import similar_names
from financehub_shared.health.processes import ProcessInfo

#: The tier under which schedulers are registered.
SCHEDULER = "scheduler"
#: The tier under which web processes are registered.
WEB = "web"
#: Number of names that a remedy lists.
_LISTED = 8


@dataclass(frozen=True, slots=True)
class Absence:
    """A process that is missing.

    Args:
        problem: What is missing, as a clause such as `no live worker serves queue 'high'`.
        remedy: What to do, as a clause.
        hint: What the user may have meant, or what there is instead; may be empty.
        is_final: Whether a message does not wait for the process, but becomes a dead letter.
    """

    problem: str
    remedy: str
    hint: str = ""
    is_final: bool = False

    @property
    def advice(self) -> str:
        """The remedy and the hint."""
        return "; ".join(filter(None, [self.remedy, self.hint]))

    def sentence(self, work: str) -> str:
        """Return the line that warns a user who requests work.

        Args:
            work: The work that waits, such as `the run`.
        """
        consequence = "becomes a dead letter" if self.is_final else "waits until one starts"
        return f"{self.problem}; {work} {consequence} ({self.advice})"


def serving(processes: Sequence[ProcessInfo], queue: str) -> list[ProcessInfo]:
    """Return the workers that take new messages of a queue. A worker that is shutting down takes none."""
    return [process for process in processes if queue in process.queues and not process.draining]


def missing_scheduler(processes: Sequence[ProcessInfo]) -> Absence | None:
    """Return what is missing so that due runs and requests are enqueued, or None if nothing is.

    Args:
        processes: The live processes.
    """
    if any(process.tier == SCHEDULER for process in processes):
        return None
    return Absence("no scheduler is alive", "start one")


def missing_worker(processes: Sequence[ProcessInfo], queue: str, task: str = "") -> Absence | None:
    """Return what is missing so that a message is processed, or None if nothing is.

    Workers of older releases do not announce their tasks. They count as workers that know every task.

    Args:
        processes: The live processes.
        queue: Queue of the message.
        task: Task of the message; empty to judge the queue only.
    """
    workers = serving(processes, queue)
    if not workers:
        return _missing_queue(processes, queue)
    if not task or any(worker.actors is None or task in worker.actors for worker in workers):
        return None
    remedy, hint = _task_advice(processes, queue, task)
    return Absence(f"no worker of queue {queue!r} knows {task}", remedy, hint, is_final=True)


def _missing_queue(processes: Sequence[ProcessInfo], queue: str) -> Absence:
    if any(queue in process.queues for process in processes):
        return Absence(f"every worker of queue {str(queue)!r} is shutting down", "start another one")
    served = sorted({name for process in processes for name in process.queues if not process.draining})
    hint = ""
    if queue not in list(Tier):
        near = similar_names(queue, {*served, *Tier})
        others = f"live workers serve {', '.join(served[:_LISTED])}" if served else ""
        hint = f"did you mean {' or '.join(near)}?" if near else others
    return Absence(f"no live worker serves queue {str(queue)!r}", "start a worker for it", hint)


def _task_advice(processes: Sequence[ProcessInfo], queue: str, task: str) -> tuple[str, str]:
    """Return the remedy and the hint for a task that no worker of a queue knows."""
    others = sorted(
        {name for process in processes if task in (process.actors or ()) for name in process.queues if name != queue}
    )
    if others:
        return f"use the queue {' or '.join(others[:_LISTED])}, whose workers know it", ""
    known = {name for worker in serving(processes, queue) for name in worker.actors or ()}
    near = similar_names(task, known | set(CATALOG))
    listed = f"they know {', '.join(sorted(known))}" if 0 < len(known) <= _LISTED else ""
    hint = f"did you mean {' or '.join(near)}?" if near else listed
    return "start a worker that declares it", hint
