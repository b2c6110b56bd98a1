"""The places in the chart's values that accept a text, and values that have the same text in many of them."""

import re
from collections.abc import Iterator
from typing import Any

from chart.notation import Node, formats, resolved, values

Place = tuple[str | int, ...]
Values = dict[str, Any]


def places() -> dict[Place, Node]:
    """Return every place of the values that accepts a string, with what it accepts.

    `*` stands for a key that the user chooses, and 0 for an item of a list.
    """
    return dict(_walk(values(), ()))


def _walk(node: Node, path: Place) -> Iterator[tuple[Place, Node]]:
    node = resolved(node)
    if "string" in node.kinds and not node.choices:
        yield path, node
    for name, each in node.properties.items():
        yield from _walk(each, (*path, name))
    if node.items:
        yield from _walk(node.items, (*path, 0))
    if node.values:
        yield from _walk(node.values, (*path, "*"))


def accepts(node: Node, text: str) -> bool:
    """Whether a text has the format of a place.

    Args:
        node: What the place accepts.
        text: The text.
    """
    checks = formats()[node.format].checks if node.format else ()
    return all(
        bool(re.search(check.get("require", check.get("refuse", "")), text)) is ("require" in check) for check in checks
    )


def filled(chosen: list[Place], text: str) -> Values:
    """Return values that have a text at each of these places, and as each key that the user chooses.

    Args:
        chosen: The places. At least one step of each is a key.
        text: The text.
    """
    result: Values = {}
    for place in chosen:
        at: Any = result
        for step, following in zip(place, [*place[1:], None], strict=True):
            key = text if step == "*" else step
            inner: Any = text if following is None else [] if following == 0 else {}
            if isinstance(at, list):
                if not at:
                    at.append(inner)
                at = at[0]
            else:
                at = at.setdefault(key, inner)
    return result


def dotted(place: Place) -> str:
    """Return a place as the messages of the chart write it."""
    return ".".join(map(str, place))
