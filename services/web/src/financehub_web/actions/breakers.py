"""The action that opens, closes or resets a circuit breaker."""

from typing import Literal

from pydantic import Field as Value

from financehub_shared.breaker import list_breakers
from financehub_shared.operations.breakers import change_breakers
from financehub_web.actions.base import Action, Field, Form, Outcome, Preview

_EFFECTS = {
    "open": "FinanceHub makes no call to it until somebody closes or resets the breaker.",
    "close": "FinanceHub calls it again, and the counts begin at zero. A breaker that opened several times in a row "
    "keeps its longer open time.",
    "reset": "The breaker is replaced with a new, closed one.",
}


class BreakerForm(Form):
    """Names an upstream and what to do with its breaker.

    Args:
        upstream: Name of a provider or of a breaker.
        change: What to do.
        note: Why, for the audit log.
    """

    upstream: str = Value(min_length=1, max_length=200)
    change: Literal["open", "close", "reset"]
    note: str = Value("", max_length=500)


class ChangeBreaker(Action):
    """Opens, closes or resets a circuit breaker."""

    name, title, section, form = "breaker", "Change a circuit breaker", "providers", BreakerForm

    def preview(self, form: BreakerForm) -> Preview:
        found = next((info for info in list_breakers(self._controls.data) if info.upstream == form.upstream), None)
        return Preview(
            f"{form.change.capitalize()} the circuit breaker of {form.upstream}?",
            f"{form.change.capitalize()} it",
            facts=[("State now", found.state if found else "not used yet")],
            fields=[Field("note", "Reason", form.note, hint="for the audit log")],
            hidden={"upstream": form.upstream, "change": form.change},
            is_dangerous=form.change == "open",
            warning=_EFFECTS[form.change],
        )

    def execute(self, form: BreakerForm) -> Outcome:
        names = change_breakers(self._controls.data, form.change, [form.upstream])
        done = {"open": "Opened", "close": "Closed", "reset": "Reset"}[form.change]
        reason = f" Reason: {form.note}" if form.note else ""
        return Outcome(f"{done} the circuit breaker of {', '.join(names)}.{reason}", "providers")
