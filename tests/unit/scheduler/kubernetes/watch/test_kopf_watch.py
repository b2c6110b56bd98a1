"""KopfWatch: the settings of kopf that our code relies on. The watch itself needs a real API server."""

import kopf
import pytest

from financehub_scheduler.kubernetes.watch.kopf_watch import KopfWatch
from financehub_shared.core.clock import SystemClock


def test_settings_of_a_kopf_that_streams_lists_request_lists_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a release of kopf streams lists by default, our watches still request pages, which ListPages empties."""
    streaming = kopf.OperatorSettings()
    streaming.watching.initial_streaming = True
    monkeypatch.setattr(kopf, "OperatorSettings", lambda: streaming)
    watch = KopfWatch(SystemClock(), None, lambda *_: None, lambda _: None)
    assert watch._settings().watching.initial_streaming is False
    assert streaming.watching.chunk_size
