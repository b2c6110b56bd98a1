"""A spec with the expected result of its checks, for the tables of valid and invalid specs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from support.schedules import resource

#: Specs for two catalog tasks, which cause no warning, and for a task outside the catalog.
NEWS: dict[str, Any] = {"task": "fetch_news_task", "schedule": "@hourly"}
CRYPTO: dict[str, Any] = {"task": "fetch_crypto_prices_task", "schedule": "@hourly", "startingDeadlineSeconds": 60}
OTHER: dict[str, Any] = {"task": "my_task", "queue": "q", "schedule": "@hourly"}


@dataclass(frozen=True)
class SpecCase:
    """A resource and the expected result of its checks.

    Args:
        spec: Spec of the resource.
        field: The field as the API server names it. Empty for a valid spec.
        words: Part of the message. It contains the refused value if the message quotes it.
        annotations: Annotations of the resource.
        name: Name of the resource.
        everywhere: Whether the message of all three sides has the words, because the rule is ours. The words of rules
            about types, lengths and ranges are those of the API server.
    """

    spec: Any
    field: str = ""
    words: str = ""
    annotations: Mapping[str, str] | None = None
    name: str = "demo"
    everywhere: bool = False

    def body(self) -> dict[str, Any]:
        """Return the resource."""
        body = resource(self.name, dict(self.annotations or {}))
        return {**body, "spec": self.spec}


def without(spec: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a spec without some fields."""
    return {name: value for name, value in spec.items() if name not in names}
