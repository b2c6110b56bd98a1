"""What all actions share: their form, what they show before they are executed, and their result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from financehub_shared.core.errors import FinanceHubError
from financehub_web.actions.controls import Controls


class Form(BaseModel):
    """The values with which an action is requested. An unknown value is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ActionRefusedError(FinanceHubError):
    """An action cannot be executed. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value that the user enters before the action is executed.

    Args:
        name: Name in the form.
        label: Label for the user.
        value: The value in the beginning.
        kind: Type of the HTML element: `text`, `textarea`, or `choice`.
        choices: The values of a choice.
        hint: What to enter.
        is_required: Whether it must not be empty.
        problem: What is wrong with the value, and what to enter instead; empty if nothing is.
    """

    name: str
    label: str
    value: str = ""
    kind: str = "text"
    choices: Sequence[str] = ()
    hint: str = ""
    is_required: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The things that an action will change.

    Args:
        headings: Headings of the columns.
        rows: The values of each thing, beginning with its id; at most as many as a person reads.
        total: Number of all things.
        caption: What the rows are; empty for the newest ones of all.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: int
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the user sees before the action is executed.

    Args:
        question: What will be done, as a question.
        button: Label of the button that does it; empty if it cannot be done.
        facts: (name, value) pairs that help to decide.
        listing: What will be changed; None if the question names it.
        heading: What the form above asks for; empty without a form.
        asked: Values that determine what will be done. A form above sends them, and the page is shown for them.
        fields: Further values that the user enters.
        hidden: Values of the form that the user does not change. A list has several values with the same name.
        typed: Text that the user must type to confirm, such as a number of messages; empty if a click is enough.
        is_dangerous: Whether the action deletes something.
        warning: What the user should know before; empty if there is nothing.
        page: Name of the page to which Cancel leads; empty for the section of the action.
        parameters: The parts of its path that vary.
    """

    question: str
    button: str
    facts: Sequence[tuple[str, str]] = ()
    listing: Listing | None = None
    heading: str = ""
    asked: Sequence[Field] = ()
    fields: Sequence[Field] = ()
    hidden: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    typed: str = ""
    is_dangerous: bool = False
    warning: str = ""
    page: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action has done.

    Args:
        text: One sentence for the user and the audit log.
        page: Name of the page that shows the result.
        parameters: The parts of its path that vary.
    """

    text: str
    page: str
    parameters: Mapping[str, str] = field(default_factory=dict)


class Action:
    """Base class of the actions.

    An action is requested with the values of its form. The preview shows what will be done, and `execute` does it.

    Args:
        controls: The connections with which it changes the fleet.
    """

    #: Name in addresses and in the audit log.
    name: ClassVar[str]
    #: Title of the page with the preview.
    title: ClassVar[str]
    #: Name of the section that the navigation marks.
    section: ClassVar[str]
    #: The class of the form.
    form: ClassVar[type[Form]]

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def preview(self, form: Any) -> Preview:
        """Return what the user sees before the action is executed.

        Raises:
            FinanceHubError: The action cannot be executed.
        """
        raise NotImplementedError

    def execute(self, form: Any) -> Outcome:
        """Do it.

        Raises:
            FinanceHubError: The action was refused, and nothing was changed.
        """
        raise NotImplementedError

    def execute_for(self, user: str, form: Any) -> Outcome:  # noqa: ARG002 — for actions that override it
        """Do it for a user. An action that stores who did it overrides this method instead of `execute`.

        Args:
            user: Name of the user.
            form: The form.

        Raises:
            FinanceHubError: The action was refused, and nothing was changed.
        """
        return self.execute(form)
