"""Tries the first fetch of an asset, so that a wrong symbol or currency is noticed when the asset is added.

The fetch is a run of the asset's price task, because the command line reaches only Redis and not the providers.
"""

import time
from dataclasses import dataclass

from financehub_cli.exit_codes import ExitCode
from financehub_cli.follow import live_processes, wait_for_run
from financehub_cli.output.formats import readable_price
from financehub_cli.session import Session
from financehub_shared.broker.dead_letter_queue import DeadLetterFilter, DeadLetterQueue
from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.models import Asset, Quote
from financehub_shared.core.text import printable
from financehub_shared.health.presence import missing_worker
from financehub_shared.monitor import RunState
from financehub_shared.operations.runs import start_run
from financehub_shared.worker.build import build_broker

#: Seconds to wait for the end of the run, which then continues without the command. A run for one symbol takes a second
#: or two, and each provider that does not answer adds its share of the time limit.
TIMEOUT_SECONDS = 60.0
#: Seconds without a live worker after which the fetch is not tried. A worker that has just started registers sooner.
ABSENCE_SECONDS = 2.0
#: Seconds to wait for the dead letter of a failed run, which is written just after the end of the run is recorded.
LETTER_SECONDS = 2.0
#: Seconds between two checks.
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class FirstFetch:
    """The result of a first fetch.

    Args:
        quote: The asset's quote that is stored after the fetch, or None.
        problem: Why the fetch failed, with each provider's reason, or why it was not tried. Empty if it succeeded.
        failed: Whether the fetch was tried and no provider delivered a quote that could be stored.
    """

    quote: Quote | None = None
    problem: str = ""
    failed: bool = False

    @property
    def code(self) -> ExitCode:
        """The exit code of the command."""
        return ExitCode.FAILED if self.failed else ExitCode.OK

    def describe(self, symbol: str) -> str:
        """Return the result as text for people.

        Args:
            symbol: Symbol of the asset.
        """
        if self.quote is not None:
            price = f"{readable_price(format(self.quote.price, 'f'))} {self.quote.currency}"
            note = f" ({printable(self.quote.note)})" if self.quote.note else ""
            return f"first fetch: {price} from {self.quote.provider}, {self.quote.quality}{note}"
        if not self.failed:
            return f"first fetch: not done: {printable(self.problem)}. {symbol} is added, and the next run fetches it."
        return (
            f"first fetch: failed: {printable(self.problem)}\n"
            f"{symbol} is added, and every run tries again. To correct it, add it again with other options; "
            f"`financehub assets remove {symbol}` removes it."
        )


def try_first_fetch(session: Session, asset: Asset, *, show_progress: bool) -> FirstFetch:
    """Run the price task for one asset and return the result.

    Args:
        session: The session of the command.
        asset: A stored, active asset.
        show_progress: Whether to show the progress on a terminal.
    """
    spec = next(spec for spec in CATALOG.values() if spec.asset_type is asset.type)
    if problem := _wait_for_worker(session, str(spec.queue), spec.name):
        return FirstFetch(problem=problem)
    broker = build_broker(session.settings, client=session.broker_client)
    # The schedule runs the task again in minutes, so a retry is not needed.
    arguments = {"symbols": [asset.symbol]}
    message = start_run(broker, session.monitor, session.store, spec.name, arguments, options={"max_retries": 0})
    run = wait_for_run(session, message.message_id, spec.name, timeout=TIMEOUT_SECONDS, show_progress=show_progress)
    if run.state is RunState.SUCCEEDED:
        missing = (run.summary or {}).get("missing", {}).get(asset.symbol)
        quote = None if missing else session.store.quotes([asset.symbol]).get(asset.symbol)
        return FirstFetch(quote, missing or ("" if quote else "the quote is not stored"), failed=quote is None)
    if run.state is RunState.DEAD_LETTERED:
        _delete_letter(session, spec.name, message.message_id)
        return FirstFetch(problem=run.error.partition(f" {asset.type} assets: ")[2] or run.error, failed=True)
    return FirstFetch(problem=f"the run is {run.state}, see `financehub stats {spec.name}`")


def _wait_for_worker(session: Session, queue: str, task: str) -> str:
    """Return who is missing to run a task of a queue, or an empty string as soon as a worker can run it."""
    limit = time.monotonic() + ABSENCE_SECONDS
    while absence := missing_worker(live_processes(session), queue, task):
        if time.monotonic() >= limit:
            return absence.problem
        time.sleep(POLL_SECONDS)
    return ""


def _delete_letter(session: Session, task: str, message_id: str) -> None:
    """Delete the dead letter of the failed run, so that it raises no alert. The command itself shows the reason."""
    letters = DeadLetterQueue(session.broker_client)
    limit = time.monotonic() + LETTER_SECONDS
    while time.monotonic() < limit:
        ids = [letter.id for letter in letters.find(DeadLetterFilter(task=task)) if letter.message_id == message_id]
        if ids:
            letters.purge(DeadLetterFilter(ids))
            return
        time.sleep(POLL_SECONDS)
