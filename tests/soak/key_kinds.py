"""Sorts the keys of Redis into kinds, so that a kind that grows is noticed although every key has another name."""

import re

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CHANGING = re.compile(r"[0-9A-Z*=^]")
#: Kinds whose last parts are data: names of tasks, hosts, upstreams and symbols, which may have any form.
_FREE = ("breaker", "budget", "process", "validators", "bars", "history")


def kind_of(key: str) -> str:
    """Return a key with `*` for each part that is an id, a symbol, a number or a name of data.

    Args:
        key: Name of a key.
    """
    parts = _UUID.sub("*", key).split(":")
    if len(parts) > 2 and parts[0] == "financehub" and parts[1] in _FREE:
        return ":".join([*parts[:2], "*"])
    return ":".join(part if part.startswith("__") else _star(part) for part in parts)


def _star(part: str) -> str:
    """Return `*` for a part that changes, but keep what follows a dot, such as the queue of an ack set or `.msgs`."""
    if part.endswith((".DQ", ".DQ.msgs", ".XQ", ".XQ.msgs")):
        return part
    return "*" if _CHANGING.search(part) else part
