"""The view of a copy of a Redis database."""

from collections.abc import Mapping
from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.views.fields import Field


class CopiedTypeView(TypedDict):
    """The keys of one type that were copied."""

    type: Annotated[str, Field(description="The type of the keys.", examples=["hash"])]
    keys: Annotated[int, Field(description="The number of keys.")]
    elements: Annotated[int, Field(description="The number of their fields, members or entries.")]


class RedisCopyView(TypedDict):
    """What was copied and found to be equal in both databases."""

    source: Annotated[str, Field(description="The source, without its password.")]
    target: Annotated[str, Field(description="The target, without its password.")]
    keys: Annotated[int, Field(description="The number of keys.")]
    expiring: Annotated[int, Field(description="The number of keys that expire.")]
    types: Annotated[list[CopiedTypeView], Field(description="The keys by type, sorted.")]


def redis_copy_view(
    source: str, target: str, keys: Mapping[str, int], elements: Mapping[str, int], expiring: int
) -> RedisCopyView:
    """Return the view of a copy.

    Args:
        source: The source, without its password.
        target: The target, without its password.
        keys: Type of the keys → their number.
        elements: Type of the keys → the number of their elements.
        expiring: The number of keys that expire.
    """
    return {
        "source": source,
        "target": target,
        "keys": sum(keys.values()),
        "expiring": expiring,
        "types": [{"type": name, "keys": keys[name], "elements": elements[name]} for name in sorted(keys)],
    }
