"""The action that opens, closes or resets a circuit breaker."""

from typing import Literal

from pydantic import Field as Value

from financehub_shared.breaker import list_breakers
from financehub_shared.breaker.changes_by_hand import REASON_CHARACTERS
from financehub_shared.operations.breakers import change_breakers, find_breakers
from financehub_web.actions.base import Action, ActionRefusedError, Field, Form, Outcome, Preview

_EFFECTS = {
    "open": "FinanceHub does not call this upstream until somebody closes or resets the breaker.",
    "close": "FinanceHub calls this upstream again, and the counts begin at zero. A breaker that opened several times "
    "in a row keeps its longer open time.",
    "reset": "A new, closed breaker replaces this one, so FinanceHub calls this upstream again.",
}


class BreakerForm(Form):
    """Names an upstream and what to do with its breaker.

    Args:
        upstream: Name of a provider or of a breaker.
        change: What to do.
        reason: Why. It is required; the page that asks begins without one. A long one is refused later, so that the
            user can shorten it.
    """

    upstream: str = Value(min_length=1, max_length=200)
    change: Literal["open", "close", "reset"]
    reason: str = Value("", max_length=5_000)

    @property
    def is_too_long(self) -> bool:
        """Whether the reason has more characters than are stored."""
        return len(self.reason.strip()) > REASON_CHARACTERS


class ChangeBreaker(Action):
    """Opens, closes or resets a circuit breaker."""

    name, title, section, form = "breaker", "Change a circuit breaker", "providers", BreakerForm

    def preview(self, form: BreakerForm) -> Preview:
        states = self._states(form.upstream)
        hint = f"Everybody sees it in Providers. At most {REASON_CHARACTERS} characters."
        problem = f"It has {len(form.reason.strip()):,} characters; enter at most {REASON_CHARACTERS}."
        return Preview(
            f"{form.change.capitalize()} the circuit breaker of {form.upstream}?",
            f"{form.change.capitalize()} it",
            facts=[("State now" if name == form.upstream else name, state) for name, state in states],
            fields=[
                Field(
                    "reason",
                    "Reason",
                    form.reason,
                    hint=hint,
                    is_required=True,
                    problem=problem if form.is_too_long else "",
                ),
            ],
            hidden={"upstream": form.upstream, "change": form.change},
            is_dangerous=form.change == "open",
            warning=_EFFECTS[form.change],
        )

    def _states(self, upstream: str) -> list[tuple[str, str]]:
        """Return (name, state) of each breaker of an upstream.

        Raises:
            FinanceHubError: The upstream is unknown, or none of its parts has been used.
        """
        found = {info.upstream: info.state for info in list_breakers(self._controls.data)}
        return [(name, found.get(name, "not used yet")) for name in find_breakers(self._controls.data, upstream)]

    def execute_for(self, user: str, form: BreakerForm) -> Outcome:
        """Change the breaker, and store who did it and why.

        Raises:
            ActionRefusedError: The reason is missing or too long.
            FinanceHubError: The upstream is unknown, or Redis does not answer.
        """
        reason = form.reason.strip()
        if not reason:
            raise ActionRefusedError("Enter the reason, so that others know why the breaker is in this state.")
        if form.is_too_long:
            raise ActionRefusedError("The reason is too long.")
        names = change_breakers(self._controls.data, form.change, [form.upstream], by=user, reason=reason)
        done = {"open": "Opened", "close": "Closed", "reset": "Reset"}[form.change]
        return Outcome(f"{done} the circuit breaker of {', '.join(names)}. Reason: {reason}", "providers")
