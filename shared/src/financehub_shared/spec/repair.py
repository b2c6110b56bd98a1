"""A copy of a document's data in which mistakes are replaced, so that the next ones can be found."""

import copy
from typing import Any

from financehub_shared.spec.cel.spec import RECURRENCES
from financehub_shared.spec.model_fields import Path

#: Field of the spec → a valid value. All others are optional and removed.
_VALID: dict[str, Any] = {
    "task": "fetch_crypto_prices_task",
    "queue": "high",
    "schedule": "@hourly",
    "schedules": ["@hourly"],
    "after": "another",
    "calendar": "XNYS",
}
#: Place of a required value → a valid one.
_REQUIRED: dict[Path, Any] = {
    ("apiVersion",): "financehub.io/v1alpha1",
    ("kind",): "ScheduledTask",
    ("metadata",): {"name": "demo"},
    ("metadata", "name"): "demo",
    ("spec",): {"task": _VALID["task"], "schedule": _VALID["schedule"]},
}


class Draft:
    """The data of a document, with the places that its values had at first.

    Args:
        data: The data, which is copied.
    """

    def __init__(self, data: Any) -> None:
        self.data: Any = copy.deepcopy(data)
        #: id of a list or mapping → its current index or name → the one in the document.
        self._origins: dict[int, dict[str | int, str | int]] = {}

    def origin(self, path: Path) -> Path:
        """Return the place of a value in the document."""
        found: list[str | int] = []
        value: Any = self.data
        for part in path:
            found.append(self._origins.get(id(value), {}).get(part, part))
            value = _child(value, part)
        return tuple(found)

    def rename(self, path: Path, name: str) -> bool:
        """Give a field another name, and return whether that was possible."""
        parent = self._find(path[:-1])
        if not isinstance(parent, dict) or path[-1] not in parent or name in parent:
            return False
        parent[name] = parent.pop(path[-1])
        self._origins.setdefault(id(parent), {})[name] = path[-1]
        return True

    def has(self, path: Path) -> bool:
        """Return whether the data has a value at a place."""
        parent = self._find(path[:-1])
        return isinstance(parent, dict) and path[-1] in parent

    def replace(self, path: Path) -> None:
        """Replace a value by a valid one, or remove it if it is optional or an entry of a list."""
        parent = self._find(path[:-1])
        if isinstance(parent, list) and isinstance(path[-1], int) and path[-1] < len(parent):
            self._remove_entry(parent, path[-1])
            if not parent:
                self.replace(path[:-1])
        elif isinstance(parent, dict):
            valid = _REQUIRED.get(path, _VALID.get(str(path[1])) if len(path) == 2 and path[0] == "spec" else None)
            if valid is None:
                parent.pop(path[-1], None)
            else:
                parent[path[-1]] = copy.deepcopy(valid)
            if path == ("spec", "task"):
                # They are arguments of the task that the user means.
                parent.pop("args", None)
                parent.pop("kwargs", None)

    def keep_one_recurrence(self) -> None:
        """Keep one of the fields that exclude one another, or add one if there is none."""
        spec = self.data["spec"]
        first, *others = [name for name in RECURRENCES if name in spec] or ["schedule"]
        spec.setdefault(first, copy.deepcopy(_VALID[first]))
        for name in others:
            del spec[name]

    def _remove_entry(self, entries: list[Any], index: int) -> None:
        origins = self._origins.get(id(entries), {})
        before = [origins.get(each, each) for each in range(len(entries))]
        del entries[index], before[index]
        self._origins[id(entries)] = dict(enumerate(before))

    def _find(self, path: Path) -> Any:
        value = self.data
        for part in path:
            value = _child(value, part)
        return value


def _child(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None
