"""The form in which a rule is part of the CRD."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One validation rule of the CRD.

    Args:
        rule: CEL expression that is true for valid values.
        problem: What is wrong and what to write. The API server shows the field before it.
        read: CEL expression of the text that the message quotes before the problem; empty to quote none.
        field: Path of the field that the message names; empty for the field that has the rule.
    """

    rule: str
    problem: str
    read: str = ""
    field: str = ""


def validations(*rules: Rule) -> dict[str, Any]:
    """Convert rules to validations for pydantic's `json_schema_extra`."""
    return {"x-kubernetes-validations": [_validation(each) for each in rules]}


def _validation(rule: Rule) -> dict[str, str]:
    found = {"rule": rule.rule, "message": rule.problem}
    if rule.read:
        # The API server falls back to the plain message if the quoted text contains a line break.
        found["messageExpression"] = f"{rule.read} + ' {escaped(rule.problem)}'"
    if rule.field:
        found["fieldPath"] = rule.field
    return found


def escaped(text: str) -> str:
    """Return the content of a CEL string literal in single quotes."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def quoted(text: str) -> str:
    """Return a CEL string literal."""
    return f"'{escaped(text)}'"


def in_quotes(expression: str) -> str:
    """Return the CEL expression of a text in single quotes, as messages show it."""
    return rf"'\'' + {expression} + '\''"
