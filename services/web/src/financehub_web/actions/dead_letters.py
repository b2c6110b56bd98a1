"""Actions for dead letters: requeue or purge one of them, those that are selected, or all that match a filter."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field as Value

from financehub_shared.broker.dead_letter import DeadLetter
from financehub_shared.broker.dead_letter_queue import MATCH_ALL, DeadLetterFilter, DeadLetterQueue
from financehub_shared.core.durations import format_duration, parse_duration
from financehub_shared.core.errors import ConfigError
from financehub_web.actions.base import Action, ActionRefusedError, Form, Listing, Outcome, Preview

#: Number of refusals that the outcome names.
_REFUSALS_SHOWN = 3
#: Number of letters that the preview lists, and of characters that it shows of an error.
_LISTED, _ERROR_SHOWN = 20, 200


class DeadLettersForm(Form):
    """Selects dead letters by id or by filter.

    Args:
        id: Ids of the letters; empty to select by the other values.
        queue, task, exception, reason: Values that a letter must have. Empty selects all.
        older_than: Minimum age, such as `12h`.
        every: Whether all letters are meant if nothing else is given.
        until: Letters that died later, in Unix seconds, are not meant: the user has not seen them.
        count: Number of letters that the user has confirmed.
    """

    id: list[str] = Value(default_factory=list, max_length=1_000)
    queue: str = Value("", max_length=200)
    task: str = Value("", max_length=200)
    exception: str = Value("", max_length=200)
    reason: str = Value("", max_length=100)
    older_than: str = Value("", max_length=20)
    every: bool = False
    until: float | None = None
    count: int | None = None

    def selection(self) -> DeadLetterFilter:
        """Return the filter.

        Raises:
            ConfigError: Nothing is selected, or the age is not a duration.
        """
        try:
            age = parse_duration(self.older_than.strip()) if self.older_than.strip() else 0
        except ValueError as error:
            raise ConfigError(f"older than: {error}") from error
        selection = DeadLetterFilter(
            ids=self.id or None,
            queue=self.queue or None,
            task=self.task or None,
            exception=self.exception or None,
            reason=self.reason or None,
            older_than_seconds=age,
        )
        if selection == MATCH_ALL and not self.every:
            raise ConfigError("no dead letter is selected; select some of them, or filter the list")
        return replace(selection, died_until=math.inf if self.until is None else self.until)


class _DeadLetterAction(Action):
    """What requeuing and purging share."""

    section, form = "dead_letters", DeadLettersForm
    verb: ClassVar[str]
    consequence: ClassVar[str]
    is_dangerous: ClassVar[bool]

    def preview(self, form: DeadLettersForm) -> Preview:
        until = self._controls.clock.now() if form.until is None else form.until
        form = form.model_copy(update={"until": until})
        letters = self._letters().find(form.selection(), limit=None)
        count = len(letters)
        if not count:
            raise ActionRefusedError("No dead letter matches. Others may have requeued or purged them meanwhile.")
        names = ("queue", "task", "exception", "reason", "older_than")
        chosen = {name: str(getattr(form, name)) for name in names if getattr(form, name)}
        hidden: dict[str, Any] = {**chosen, "until": repr(until)}
        if form.id:
            hidden["id"] = list(form.id)
        if form.every:
            hidden["every"] = "1"
        return Preview(
            f"{self.verb} {_in_words(count)}?",
            f"{self.verb} {_in_words(count)}",
            facts=[(name.replace("_", " ").capitalize(), value) for name, value in chosen.items()],
            listing=_listing(letters, self._controls.clock.now()),
            hidden=hidden | ({"count": str(count)} if form.id else {}),
            # the page lists only some of the letters that match a filter, so a click is not enough
            typed="" if form.id else str(count),
            is_dangerous=self.is_dangerous,
            warning=self.consequence,
            page="dead_letter" if len(form.id) == 1 else "",
            parameters={"id": form.id[0]} if len(form.id) == 1 else {},
        )

    def _letters(self) -> DeadLetterQueue:
        return DeadLetterQueue(self._controls.queues, self._controls.settings.max_message_bytes)

    def _confirmed(self, form: DeadLettersForm) -> DeadLetterFilter:
        """Return the filter, if it matches as many letters as the user has confirmed."""
        selection = form.selection()
        count = len(self._letters().find(selection, limit=None))
        if form.count != count:
            raise ActionRefusedError(
                f"{_in_words(count)} match{'es' if count == 1 else ''}, but you confirmed {form.count or 0:,}. Nothing "
                "was changed. Check the list again."
            )
        return selection


def _in_words(count: int) -> str:
    return f"{count:,} dead letter{'' if count == 1 else 's'}"


def _listing(letters: Sequence[DeadLetter], now: float) -> Listing:
    """Return the newest letters with what identifies them."""
    rows = [
        (
            letter.id,
            letter.task or "Unreadable queue entry",
            ": ".join(part for part in (letter.exception or letter.reason, letter.error) if part)[:_ERROR_SHOWN],
            format_duration(max(0.0, now - letter.died_at)),
        )
        for letter in letters[:_LISTED]
    ]
    return Listing(("Letter", "Task", "Error", "Age"), rows, len(letters))


class Requeue(_DeadLetterAction):
    """Puts dead letters back in their queues as new messages."""

    name, title = "requeue", "Requeue dead letters"
    verb, consequence, is_dangerous = "Requeue", "Their tasks run again.", False

    def execute(self, form: DeadLettersForm) -> Outcome:
        refused: dict[str, str] = {}
        requeued = self._letters().requeue(self._confirmed(form), refused)
        text = f"Requeued {_in_words(len(requeued))}."
        if refused:
            shown = "; ".join(f"{id}: {why}" for id, why in list(refused.items())[:_REFUSALS_SHOWN])
            text += f" {len(refused):,} stay, because a worker would refuse them: {shown}"
        return Outcome(text, "dead_letters")


class Purge(_DeadLetterAction):
    """Deletes dead letters permanently."""

    name, title = "purge", "Purge dead letters"
    verb, consequence, is_dangerous = "Purge", "They are deleted permanently.", True

    def execute(self, form: DeadLettersForm) -> Outcome:
        purged = self._letters().purge(self._confirmed(form))
        return Outcome(f"Purged {_in_words(len(purged))}.", "dead_letters")
