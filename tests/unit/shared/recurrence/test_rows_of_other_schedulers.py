"""Due times that other schedulers test or document, in tests/fixtures/schedules/other_schedulers: a file per project.

A file is a list of groups. A group has its `source` in the project, a `zone` (default UTC), further fields of our
`spec`, and `rows` of one of these forms. Lines of a schedule are separated by ` ; `.

    expression | after TIME | TIME …           the next due times after an instant
    expression | before TIME | TIME …          the newest due times before an instant, newest first
    expression | due | TIME …                  each of them is due
    expression | not due | TIME …              none of them is due
    expression | refused                       nobody accepts it
    expression | after TIME | theirs … | ours …

The last form belongs to groups with `differs` instead of `source`, which says why we differ. The expected times are
those of the project. `end` means that there are no more due times. A TIME is a date and a time of day in the zone of
the group, with an offset if the clock shows it twice. `2026-01-02` is midnight, `10:30` has the date before it, and
`05` is the next day with that number at the time of day before it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from financehub_shared.core.errors import ConfigError
from financehub_shared.recurrence.build import recurrence_of_spec
from financehub_shared.recurrence.recurrence import Recurrence

_FOLDER = Path(__file__).parents[3] / "fixtures" / "schedules" / "other_schedulers"
#: Latest due time that is asked for, and seconds before an instant in which the newest due times are asked for.
_LAST, _DECADE = datetime(2420, 1, 1, tzinfo=UTC).timestamp(), 10 * 366 * 86_400
_END, _REFUSED = "end", "refused"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a group.

    Args:
        expression: Lines of the schedule, separated by ` ; `.
        question: `after …`, `before …`, `due`, `not due` or `refused`.
        answers: The columns after it.
        zone: Zone of the group.
        spec: Further fields of the spec.
    """

    expression: str
    question: str
    answers: tuple[str, ...]
    zone: ZoneInfo
    spec: dict[str, Any]

    def recurrence(self) -> Recurrence:
        """Build the recurrence as the scheduler does."""
        lines = self.expression.split(" ; ")
        return recurrence_of_spec("uid", {"schedules": lines, "timeZone": self.zone.key, **self.spec})

    def instant(self) -> datetime:
        """Return the TIME of the question."""
        return times(self.question.split()[1], self.zone)[0]

    def expected(self, answer: str) -> list[str]:
        """Return the times of an answer, shown in the zone."""
        return [_shown(time.timestamp(), self.zone) for time in times(answer, self.zone, self.instant())]

    def next_due(self, answer: str) -> list[str]:
        """Return as many due times after the instant as an answer has, with `end` if there are no more."""
        count = len(answer.split())
        due_times = self.recurrence().due_times(self.instant().timestamp(), _LAST)
        found = [_shown(due, self.zone) for due in islice(due_times, count)]
        return found if len(found) == count else [*found, _END]


def times(text: str, zone: ZoneInfo, previous: datetime | None = None) -> list[datetime]:
    """Return the times of a column; `end` is not one of them."""
    found = []
    for word in text.split():
        if word == _END:
            continue
        previous = _time(word, zone, previous)
        found.append(previous)
    return found


def _time(word: str, zone: ZoneInfo, previous: datetime | None) -> datetime:
    if re.fullmatch(r"\d\d", word):
        assert previous is not None, word
        day = previous.replace(tzinfo=None, fold=0) + timedelta(days=1)
        while day.day != int(word):
            day += timedelta(days=1)
        return _local(day, zone)
    if re.match(r"\d\d:", word):
        assert previous is not None, word
        word = f"{previous.date()}T{word}"
    time = datetime.fromisoformat(word)
    return _local(time, zone) if time.tzinfo is None else time.astimezone(zone)


def _local(time: datetime, zone: ZoneInfo) -> datetime:
    """Return a local time in the zone. It must exist, so that no time of a file has two meanings."""
    found = time.replace(tzinfo=zone)
    assert found.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == time, f"{time} is skipped in {zone}"
    return found


def _shown(timestamp: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(timestamp, zone).isoformat()


def _rows(*, differing: bool) -> Iterator[Any]:
    for path in sorted(_FOLDER.glob("*.yaml")):
        for group in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
            if ("differs" in group) is differing:
                source = group.get("differs") or group["source"]
                for line in group["rows"].splitlines():
                    expression, question, *answers = line.split(" | ")
                    zone = ZoneInfo(group.get("zone", "UTC"))
                    row = Row(expression, question, tuple(answers), zone, group.get("spec", {}))
                    yield pytest.param(row, id=f"{path.stem}: {source}: {expression} {question}")


_SAME, _DIFFERING = list(_rows(differing=False)), list(_rows(differing=True))


@pytest.mark.parametrize("row", _SAME)
def test_the_due_times_are_those_that_another_scheduler_expects(row: Row):
    """Each row states what the project tests or documents, and our due times agree."""
    if row.question == _REFUSED:
        with pytest.raises(ConfigError, match="the due times cannot be computed"):
            row.recurrence()
    elif row.question.startswith("after "):
        [answer] = row.answers
        expected = [*row.expected(answer), *([_END] if answer.endswith(_END) else [])]
        assert row.next_due(answer) == expected
    elif row.question.startswith("before "):
        until, expected = row.instant().timestamp(), row.expected(row.answers[0])
        # Due times are whole seconds, so the newest one before an instant is at most a microsecond before it.
        found = row.recurrence().newest(len(expected), until - _DECADE, until - 0.001)
        assert [_shown(due, row.zone) for due in reversed(found)] == expected
    else:
        recurrence = row.recurrence()
        for time in times(row.answers[0], row.zone):
            is_due = recurrence.next_after(time.timestamp() - 1) == time.timestamp()
            assert is_due is (row.question == "due"), time


@pytest.mark.parametrize("row", [each for each in _SAME if each.values[0].question.startswith("after ")])
def test_every_question_between_two_due_times_has_the_same_answer(row: Row):
    """A due time does not depend on the instant of the question, which Temporal tests for its calendars."""
    recurrence = row.recurrence()
    instants = [time.timestamp() for time in times(row.answers[0], row.zone, row.instant())]
    for before, due in pairwise([row.instant().timestamp(), *instants]):
        for part in (0, 0.01, 0.3, 0.5, 0.7, 0.99):
            assert recurrence.next_after(before + (due - before) * part) == due


@pytest.mark.parametrize("row", _DIFFERING)
def test_the_due_times_differ_from_another_scheduler_where_we_decided_so(row: Row):
    """The reason stands in the group. Both answers are checked, so that a difference that has gone is noticed."""
    theirs, ours = (answer.split(" ", 1)[1] for answer in row.answers)
    assert [answer.split()[0] for answer in row.answers] == ["theirs", "ours"]
    if ours == _REFUSED:
        with pytest.raises(ConfigError, match="the due times cannot be computed"):
            row.recurrence()
        return
    assert row.next_due(ours) == row.expected(ours)
    if theirs != _REFUSED:
        assert row.next_due(theirs) != [*row.expected(theirs), *([_END] if theirs == _END else [])]


def test_at_least_three_hundred_rows_of_seven_projects_are_compared():
    """A file that is not read, or is cut, would otherwise go unnoticed."""
    projects = {str(row.id).partition(":")[0] for row in _SAME}
    assert projects == {"cronsim", "croniter", "quartz", "robfig_cron", "systemd", "temporal", "vixie_cron"}
    assert len(_SAME) >= 500, len(_SAME)
    assert len(_DIFFERING) >= 40, len(_DIFFERING)
