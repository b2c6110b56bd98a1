"""Tests of the collection of what readers leave out."""

from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.left_out import MOST_NOTES, collect_left_out, note_left_out
from financehub_shared.market.unreadable import UnreadableLog
from financehub_shared.redis.key_types import WrongKeyLog


def test_collection_has_each_note_once_and_at_every_read():
    """The log names a record once an hour, but each collection names it."""
    unreadable, wrong_keys = UnreadableLog(lambda: 0.0), WrongKeyLog(lambda: 0.0)
    for _ in range(2):
        with collect_left_out() as left_out:
            for _ in range(2):
                unreadable(CorruptDataError("financehub:quotes A", "is damaged", "delete it"))
                wrong_keys("financehub:tasks", "it is not a set")
        assert left_out.notes == ("financehub:quotes A: is damaged; delete it", "financehub:tasks: it is not a set")


def test_collections_are_bounded_and_nested():
    """An inner collection has its own notes, and further notes are only counted. Without a collection, none is kept."""
    note_left_out("nobody collects this")
    with collect_left_out() as outer:
        with collect_left_out() as inner:
            for number in range(MOST_NOTES + 3):
                note_left_out(f"record {number}")
        note_left_out("outer")
    assert outer.notes == ("outer",)
    assert len(inner.notes) == MOST_NOTES + 1
    assert inner.notes[-1].startswith("3 further records")
