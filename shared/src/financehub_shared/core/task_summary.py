"""The summary that a task returns. It is the actor's return value and part of its log line and run record."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, ClassVar

from financehub_shared.core.text import dump_json


@dataclass(frozen=True, slots=True)
class TaskSummary(dict[str, Any]):
    """Summary of one run.

    It is also a dictionary, because dramatiq passes the result of a run on as JSON: to a result backend, to callbacks
    and to the next message of a pipeline. The dictionary has the fields of the summary, and as many missing items as a
    log line has.

    The items are symbols, sources or records. For the health task, they are its checks: `requested` counts all of them,
    `stored` counts those that are ok, and `missing` holds the reasons for the others.

    Args:
        requested: Number of items that the run should process.
        stored: Number of items that were stored or done.
        missing: Item → the reason why it is missing, in the provider's words (`binance: not-found: unknown pair`).
        missing_count: Number of missing items in total.
        providers: Provider → number of items that it delivered.
        details: Additional statistics from the task, which can be serialized as JSON.
    """

    #: Largest number of missing items in a log line and a run record.
    MISSING_SHOWN: ClassVar[int] = 50
    #: Longest reason in a log line and a run record, in characters. It can hold a sentence from two or three providers.
    REASON_CHARACTERS: ClassVar[int] = 400
    #: Longest text of all missing items in a log line and a run record, in characters. Redis keeps up to 10,080 run
    #: records of a task.
    MISSING_CHARACTERS: ClassVar[int] = 6_000

    #: Longest summary in a log line and a run record, as JSON in characters.
    CHARACTERS: ClassVar[int] = 20_000

    requested: int
    stored: int
    missing: Mapping[str, str] = field(default_factory=dict)
    missing_count: int = 0
    providers: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # `super()` does not work here, because `slots=True` replaces the class.
        dict.update(
            self,
            requested=self.requested,
            stored=self.stored,
            missing=self._shown_missing(),
            missing_count=self.missing_count,
            providers=dict(self.providers),
            details=dict(self.details),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the summary for a log line or a run record, with as many missing items as fit.

        `core.text.dump_json` encodes it, whatever a task put into it. If it is too long, it has neither the providers
        nor the details of the task, and its details say so.
        """
        shown = dict(self)
        length = len(dump_json(shown))
        if length > self.CHARACTERS:
            shown |= {
                "providers": {},
                "details": {"left_out": f"{length:,} characters; the limit is {self.CHARACTERS:,}"},
            }
        return shown

    def with_missing(self, missing: Mapping[str, str]) -> "TaskSummary":
        """Return the summary with additional missing items, which come first.

        Args:
            missing: Item → the reason why it is missing.
        """
        return replace(self, missing={**missing, **self.missing}, missing_count=self.missing_count + len(missing))

    def _shown_missing(self) -> dict[str, str]:
        shown: dict[str, str] = {}
        characters = 0
        for item, reason in islice(self.missing.items(), self.MISSING_SHOWN):
            cut = reason if len(reason) <= self.REASON_CHARACTERS else f"{reason[: self.REASON_CHARACTERS - 1]}…"
            characters += len(item) + len(cut)
            if characters > self.MISSING_CHARACTERS:
                break
            shown[item] = cut
        return shown
