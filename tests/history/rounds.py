"""Records when a process has a janitor, and the begin and end of each of its rounds, for the limits of the checker."""

import os
from pathlib import Path
from typing import Any

from financehub_shared.broker.janitor import Janitor
from history.events import Recorder


def record_rounds() -> None:
    """Let the janitor of this process record its rounds."""
    recorder = Recorder(Path(os.environ["HISTORY_FOLDER"]), os.environ["HISTORY_NODE"])
    init, original = Janitor.__init__, Janitor.run

    def begin(self: Janitor, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        recorder.record("janitor")

    def run(self: Janitor) -> dict[str, int]:
        recorder.record("round_begins")
        result = "failed"
        try:
            reclaimed = original(self)
            result = "ok"
        finally:
            recorder.record("round_ends", result=result)
        return reclaimed

    Janitor.__init__ = begin  # type: ignore[method-assign]
    Janitor.run = run  # type: ignore[method-assign]
