"""Tests of the pages of the runs of a schedule."""

from financehub_shared.monitor import RunRecord, RunState
from financehub_web.api.paging import make_token
from financehub_web.api.schedules import behind


def runs(*ids: str) -> list[RunRecord]:
    return [RunRecord(id, "task", "q", RunState.SUCCEEDED) for id in ids]


def test_page_of_runs_continues_behind_the_last_run_although_new_ones_begin() -> None:
    """A run that begins between two pages neither repeats a run nor hides one."""
    token = make_token(("b",))
    assert behind(runs("a", "b", "c"), token) == runs("c")
    assert behind(runs("new", "a", "b", "c"), token) == runs("c")


def test_page_of_runs_is_empty_if_newer_runs_have_replaced_the_rest() -> None:
    """The newest runs of a schedule are few, so those behind the last page may be gone."""
    assert behind(runs("e", "d", "c"), make_token(("b",))) == []
    assert behind(runs("a", "b"), "") == runs("a", "b")
