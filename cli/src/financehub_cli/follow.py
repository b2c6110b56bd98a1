"""Follows runs and backfills until they end."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from financehub_cli.exit_codes import ExitCode, print_message
from financehub_cli.output.progress import ProgressLine
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.runs import SKIP_REASONS, error_text
from financehub_cli.session import Session
from financehub_shared.core.durations import format_duration
from financehub_shared.core.text import printable
from financehub_shared.health.presence import Absence, missing_scheduler, missing_worker
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.monitor import ACTIVE, RunRecord, RunState
from financehub_shared.monitor.run_state import UNKNOWN_TASK
from financehub_shared.redis.schedule_record import BackfillInfo
from financehub_shared.schedules import show_backfill
from financehub_shared.views.runs import run_view

if TYPE_CHECKING:
    from dramatiq import Message

#: Seconds between two reads, short enough that progress appears immediate.
POLL_SECONDS = 0.2
#: Seconds without progress after which the command stops following a backfill if a process that it needs is absent. A
#: scheduler restart takes less time.
ABSENCE_SECONDS = 10.0


def follow_message(session: Session, message: "Message[Any]", *, no_wait: bool, timeout: float, as_json: bool) -> None:
    """Follow the run of a message that was just enqueued, or, if the user does not wait, print its id.

    Args:
        session: The session of the command.
        message: The message.
        no_wait: Whether to return at once.
        timeout: Seconds after which the command stops following the run.
        as_json: Whether to print JSON.
    """
    id, task = message.message_id, message.actor_name
    warn_of_absence(missing_worker(live_processes(session), message.queue_name, task), "the run")
    if no_wait:
        queued = RunRecord(id, task, message.queue_name, RunState.QUEUED)
        print_result(CommandResult(run_view(queued), f"{task} queued as {id}"), as_json=as_json)
        return
    follow_run(session, id, task, timeout=timeout, as_json=as_json)


def follow_run(session: Session, message_id: str, task: str, *, timeout: float, as_json: bool) -> None:
    """Show the progress of a run until it ends, then print its outcome and exit with the corresponding code.

    Args:
        session: The session of the command.
        message_id: Id of the run.
        task: Name of its task.
        timeout: Seconds after which the command stops following the run.
        as_json: Whether to print JSON.
    """
    try:
        run = wait_for_run(session, message_id, task, timeout=timeout, show_progress=not as_json)
    except KeyboardInterrupt:
        print_message(f"stopped following; {task} continues as {message_id}, see `financehub stats {task}`")
        raise typer.Exit(ExitCode.FAILED) from None
    code = ExitCode.OK if run.state is RunState.SUCCEEDED else ExitCode.FAILED
    print_result(CommandResult(run_view(run), _describe_outcome(run), [], code), as_json=as_json)


def follow_backfill(session: Session, id: str, queue: str, *, timeout: float, as_json: bool) -> BackfillInfo:
    """Show the progress of a backfill until it ends, and return its last progress.

    Args:
        session: The session of the command.
        id: Id of the backfill.
        queue: Queue of its schedule.
        timeout: Seconds after which the command stops following the backfill.
        as_json: Whether the command prints JSON. It then shows no progress bar.
    """
    limit = time.monotonic() + timeout
    enqueued, absence_limit = -1, limit
    with ProgressLine(is_wanted=not as_json) as progress:
        while True:
            backfill = show_backfill(session.broker_client, id)
            processes = live_processes(session)
            absence = missing_scheduler(processes) or missing_worker(processes, queue)
            if backfill.enqueued != enqueued or not absence:
                enqueued, absence_limit = backfill.enqueued, time.monotonic() + ABSENCE_SECONDS
            progress.show(f"backfill {backfill.state}: {backfill.enqueued:,} of {backfill.total:,} enqueued")
            if backfill.state not in {"pending", "running"} or time.monotonic() >= limit:
                return backfill
            if time.monotonic() >= absence_limit:
                warn_of_absence(absence, "the backfill")
                return backfill
            time.sleep(POLL_SECONDS)


def wait_for_run(session: Session, message_id: str, task: str, *, timeout: float, show_progress: bool) -> RunRecord:
    """Return a run as soon as it has ended. After the timeout, print a message and return the run as it is.

    Args:
        session: The session of the command.
        message_id: Id of the run.
        task: Name of its task.
        timeout: Seconds after which the command stops waiting.
        show_progress: Whether to show the progress on a terminal.
    """
    run = RunRecord(message_id, task, "", RunState.QUEUED)  # the stored record may appear a moment later
    limit = time.monotonic() + timeout
    with ProgressLine(is_wanted=show_progress) as progress:
        while True:
            run = session.monitor.get_run(message_id) or run
            if run.task == UNKNOWN_TASK:  # the statistics count all tasks under this name that no worker knows
                run = replace(run, task=task)
            if run.state not in ACTIVE:
                return run
            if time.monotonic() >= limit:
                progress.clear()
                duration = format_duration(timeout)
                print_message(f"{task} is {run.state} after {duration}; `financehub stats {task}` shows its progress")
                return run
            reason = f" after {run.error}" if run.error else ""
            progress.show(f"{task} {run.state}, attempt {max(run.attempts, 1)}{reason}")
            time.sleep(POLL_SECONDS)


def live_processes(session: Session) -> list[ProcessInfo]:
    """Return the live workers, schedulers and web processes."""
    return ProcessRegistry(session.broker_client).live()


def warn_of_absence(absence: Absence | None, work: str) -> None:
    """Print the line that says which process is missing, if one is.

    Args:
        absence: The process that is missing.
        work: The work that waits for it, such as `the run`.
    """
    if absence is not None:
        print_message(absence.sentence(work))


def _describe_end(run: RunRecord) -> str:
    """Return the state of a run and how long its newest attempt took, if that is known."""
    if run.duration is None:
        return str(run.state)
    duration = format_duration(run.duration)
    if run.state is RunState.RETRYING:
        return f"is retried later; its last attempt took {duration}"
    return f"{run.state} in {duration}"


def _describe_outcome(run: RunRecord) -> str:
    lines = [f"{run.task} {_describe_end(run)}"]
    if run.error in SKIP_REASONS and run.state is RunState.SKIPPED:
        lines[0] = f"{run.task} skipped, because {error_text(run)}"
    elif run.error and run.state is not RunState.SUCCEEDED:
        lines.append(f"  {run.error}")
    if run.summary:
        providers = ", ".join(f"{name}: {count}" for name, count in run.summary.get("providers", {}).items())
        done = f"  {run.summary.get('stored')} of {run.summary.get('requested')} done"
        lines.append(f"{done} ({providers})" if providers else done)
        lines += [f"  missing {name}: {reason}" for name, reason in run.summary.get("missing", {}).items()]
        for name, value in run.summary.get("details", {}).items():
            entries = value if isinstance(value, dict) else {}
            lines += [f"  {name} {key}: {text}" for key, text in entries.items()] or [f"  {name}: {value}"]
    # A line feed in a record must not make one part look like a separate line.
    return "\n".join(map(printable, lines))
