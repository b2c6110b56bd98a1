"""Actions that pause schedules with a reason, and resume them: one, or those that are selected."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field as Value

from financehub_shared.core.durations import format_duration
from financehub_shared.core.errors import ConfigError
from financehub_shared.operations.schedules import MAX_SCHEDULES, pause_schedules, resume_schedules
from financehub_shared.schedules import ScheduleInfo, find_schedules, list_schedules
from financehub_shared.schedules.pauses import REASON_CHARACTERS
from financehub_web.actions.base import Action, ActionRefusedError, Field, Form, Listing, Outcome, Preview
from financehub_web.actions.schedules import page_of

#: Number of schedules that the preview lists, and that the outcome names.
_LISTED, _NAMED = 50, 10


class SchedulesForm(Form):
    """Names schedules.

    Args:
        schedule: Their names, as `namespace/name`.
    """

    schedule: list[Annotated[str, Value(max_length=400)]] = Value(default_factory=list, max_length=MAX_SCHEDULES)


class PauseForm(SchedulesForm):
    """Names schedules and a reason.

    Args:
        reason: Why. It is required; the page that asks begins without one. A long one is refused later, so that the
            user can shorten it.
    """

    reason: str = Value("", max_length=5_000)


class _SchedulesAction(Action):
    """What pausing and resuming share."""

    section = "schedules"

    def _find(self, form: SchedulesForm) -> list[ScheduleInfo]:
        """Return the selected schedules.

        Raises:
            ConfigError: None is selected.
            InvalidArgumentsError: A name is unknown.
            ActionRefusedError: The record of one of them is damaged or missing.
        """
        if not form.schedule:
            raise ConfigError("no schedule is selected; select some of them in the list")
        names = {name for _, name in find_schedules(self._controls.queues, form.schedule)}
        infos = [info for info in list_schedules(self._controls.queues) if info.name in names]
        if damaged := sorted(names.difference(info.name for info in infos)):
            more = f" and {len(damaged) - _NAMED:,} more" if len(damaged) > _NAMED else ""
            raise ActionRefusedError(
                f"{', '.join(damaged[:_NAMED])}{more}: the record is damaged or missing. Nothing was changed. "
                "Select only schedules that are listed."
            )
        return infos

    def _preview(
        self, verb: str, infos: Sequence[ScheduleInfo], fields: Sequence[Field], sentences: Sequence[str]
    ) -> Preview:
        now = self._controls.clock.now()
        rows = [(info.name, info.recurrence_text, _state(info, now)) for info in infos[:_LISTED]]
        total = len(infos)
        page, parameters = _page_of(infos)
        return Preview(
            f"{verb} {_in_words(infos)}?",
            f"{verb} {'it' if total == 1 else 'them'}",
            listing=Listing(("Schedule", "Recurrence", "State"), rows, total, _caption(len(rows), total)),
            fields=fields,
            hidden={"schedule": [info.name for info in infos]},
            warning=" ".join(sentences),
            page=page,
            parameters=parameters,
        )


class PauseSchedules(_SchedulesAction):
    """Pauses schedules, so that they enqueue no due runs."""

    name, title, form = "pause", "Pause schedules", PauseForm

    def preview(self, form: PauseForm) -> Preview:
        infos = self._find(form)
        if all(info.is_paused for info in infos):
            raise ActionRefusedError(f"{_in_words(infos)}: paused already. The list shows by whom and why.")
        too_long = len(form.reason) > REASON_CHARACTERS
        hint = f"Everybody sees it. At most {REASON_CHARACTERS} characters."
        problem = f"It has {len(form.reason):,} characters; enter at most {REASON_CHARACTERS}." if too_long else ""
        them = "it" if len(infos) == 1 else "them"
        sentences = [
            f"No due run is enqueued until somebody resumes {them}, and nothing is caught up then.",
            "Runs that are queued or running go on, and you can still run a paused schedule by hand.",
        ]
        if any(info.is_paused for info in infos):
            sentences.append("Those that are paused already keep their reason.")
        reason = Field("reason", "Reason", form.reason, hint=hint, is_required=True, problem=problem)
        return self._preview("Pause", infos, [reason], sentences)

    def execute_for(self, user: str, form: PauseForm) -> Outcome:
        """Pause the schedules, and store who did it and why.

        Raises:
            ActionRefusedError: All of them are paused already.
            FinanceHubError: The reason is missing or too long, a name is unknown, or Redis does not answer.
        """
        infos = self._find(form)
        paused = pause_schedules(self._controls.queues, [info.name for info in infos], form.reason, user)
        return _outcome("Paused", infos, paused, f" Reason: {form.reason.strip()}")


class ResumeSchedules(_SchedulesAction):
    """Resumes schedules that are paused."""

    name, title, form = "resume", "Resume schedules", SchedulesForm

    def preview(self, form: SchedulesForm) -> Preview:
        infos = [info for info in self._find(form) if info.is_paused]
        if not infos:
            raise ActionRefusedError("None of these schedules is paused.")
        sentences = ["The due times that passed in the meantime are not caught up."]
        if suspended := [info.name for info in infos if info.suspended]:
            sentences.append(f"Suspended by its spec, so it still does not run: {', '.join(suspended[:_NAMED])}.")
        return self._preview("Resume", infos, [], sentences)

    def execute(self, form: SchedulesForm) -> Outcome:
        infos = self._find(form)
        return _outcome("Resumed", infos, resume_schedules(self._controls.queues, [info.name for info in infos]), "")


def _in_words(infos: Sequence[ScheduleInfo]) -> str:
    return infos[0].name if len(infos) == 1 else f"{len(infos):,} schedules"


def _caption(shown: int, total: int) -> str:
    return f"The first {shown} of {total:,}" if shown < total else f"{total:,} in total"


def _state(info: ScheduleInfo, now: float) -> str:
    if info.paused and info.paused.at is not None:
        return f"{info.paused} ({format_duration(max(0.0, now - info.paused.at))} ago)"
    return info.problem or ("suspended" if info.suspended else "active")


def _outcome(done: str, infos: Sequence[ScheduleInfo], changed: Sequence[str], reason: str) -> Outcome:
    """Return what was done.

    Args:
        done: The verb in the past tense.
        infos: The selected schedules.
        changed: Names of those that were changed.
        reason: The reason as a sentence, or an empty string.

    Raises:
        ActionRefusedError: None was changed.
    """
    if not changed:
        raise ActionRefusedError("Others have changed these schedules in the meantime. Nothing was changed.")
    more = f" and {len(changed) - _NAMED:,} more" if len(changed) > _NAMED else ""
    text = f"{done} {', '.join(changed[:_NAMED])}{more}."
    if unchanged := len(infos) - len(changed):
        text += f" {unchanged:,} {'was' if unchanged == 1 else 'were'} not changed."
    return Outcome(text + reason, *_page_of(infos))


def _page_of(infos: Sequence[ScheduleInfo]) -> tuple[str, dict[str, str]]:
    return page_of(infos[0]) if len(infos) == 1 else ("schedules", {})
