"""Reads the usual form of a document quickly, because a scheduler starts with thousands of them.

`nodes` reads all forms and says what is wrong. This module reads only documents without mistakes, tags and anchors.
"""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import yaml

from financehub_shared.core.errors import FinanceHubError
from financehub_shared.spec.nodes import LOADER, MAX_DEPTH, MAX_NODES, Event
from financehub_shared.spec.scalars import PLAIN, ScalarError, read_scalar

_SCALAR, _SEQUENCE_START = yaml.ScalarEvent, yaml.SequenceStartEvent
_SEQUENCE_END, _MAPPING_END = yaml.SequenceEndEvent, yaml.MappingEndEvent


class UnusualError(FinanceHubError):
    """The document has another form, or a mistake."""


def read_plain(text: str) -> Any:
    """Return a document as JSON data.

    Args:
        text: The document.

    Raises:
        UnusualError: `read_nodes` is needed for this document.
    """
    try:
        with closing(_Events(LOADER(text if text.endswith("\n") else f"{text}\n"))) as events:
            return events.document()
    except (yaml.YAMLError, UnicodeEncodeError, ScalarError) as error:
        raise UnusualError(str(error)) from error


class _Events:
    """Builds data from the events of YAML's parser."""

    __slots__ = ("_count", "_loader", "_next")

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._next: Callable[[], Event] = loader.get_event
        self._count = 0

    def close(self) -> None:
        self._loader.dispose()

    def document(self) -> Any:
        self._next()  # the begin of the stream
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise UnusualError("it is empty")
        data = self._read(self._next(), 0)
        self._next()  # the end of the document
        if not isinstance(self._next(), yaml.StreamEndEvent):
            raise UnusualError("there is another document")
        return data

    def _read(self, event: Event, depth: int) -> Any:
        self._count += 1
        if event.anchor is not None or event.tag is not None or self._count > MAX_NODES or depth > MAX_DEPTH:
            raise UnusualError("it has an anchor or a tag, or is large")
        kind, following = type(event), self._next
        if kind is _SCALAR:
            return read_scalar(event.value, PLAIN) if event.implicit[0] else event.value
        if kind is _SEQUENCE_START:
            items = []
            while type(item := following()) is not _SEQUENCE_END:
                items.append(self._read(item, depth + 1))
            return items
        fields: dict[str, Any] = {}
        while type(key := following()) is not _MAPPING_END:
            # Most names and values are scalars. A recursive call for each of them takes a third longer.
            if type(key) is _SCALAR and key.anchor is None and key.tag is None:
                self._count += 1
                name = read_scalar(key.value, PLAIN) if key.implicit[0] else key.value
            else:
                name = self._read(key, depth + 1)
            if type(name) is not str or name in fields or name == "<<":
                raise UnusualError("a name is not text, or is written twice")
            value = following()
            if type(value) is _SCALAR and value.anchor is None and value.tag is None:
                self._count += 1
                fields[name] = read_scalar(value.value, PLAIN) if value.implicit[0] else value.value
            else:
                fields[name] = self._read(value, depth + 1)
            # The calls that are left out above would have checked this.
            if self._count > MAX_NODES or depth >= MAX_DEPTH:
                raise UnusualError("it is large")
        return fields
