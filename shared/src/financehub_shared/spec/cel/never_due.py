"""The pattern of cron expressions that can never be due, because none of their months has one of their days."""

from collections import defaultdict
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import groupby

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
#: Days of the month → the months that have none of these days.
_MISSING = ((frozenset({31}), frozenset({2, 4, 6, 9, 11})), (frozenset({30, 31}), frozenset({2})))


@cache
def never_due_days() -> str:
    """Return the pattern of a valid day-of-month field and a valid month field that have no day in common.

    It also matches some invalid fields, which other rules refuse.
    """
    pairs = (rf"{_list(_days(days) + _special(days))}\s+{_list(_months(months))}" for days, months in _MISSING)
    return f"({'|'.join(pairs)})"


def _list(entries: list[str]) -> str:
    # The comma is optional, because a pattern with a separate first entry would have twice the length.
    return f"(,?({'|'.join(entries)}))+"


def _special(days: AbstractSet[int]) -> list[str]:
    """Return the patterns of entries with W and L that only mean the given last days of months with 31 days."""
    # The first day of a month with 31 days is L-30. L-29 is the first day of a month with 30 days.
    return ["L-0*30W?", "0*31W"] if days == {31} else ["L-0*(29|30)W?", "0*3[01]W"]


def _days(wanted: AbstractSet[int]) -> list[str]:
    found = [_numbers(wanted)]
    for start in sorted(wanted):
        ends = _ends_by_step(start, wanted, 1, 31)
        found += [f"{_numbers({start})}-{_numbers(numbers)}/0*{step}" for step, numbers in ends.items()]
    starts = _numbers(wanted)
    # The range to itself, the range to the end of the field, and any range with a step that is longer than the month.
    found += [rf"{_numbers({start})}-{_numbers({start})}(/[0-9]+)?" for start in sorted(wanted)]
    found += [f"{starts}/[0-9]+", f"{starts}-[0-9]+/0*{_above(31)}"]
    return found + (["0*30-0*31(/[0-9]+)?"] if len(wanted) == 2 else [])


def _months(wanted: AbstractSet[int]) -> list[str]:
    found = [_named(wanted)]
    for start in sorted(wanted):
        steps: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for step, numbers in _ends_by_step(start, wanted, 1, 12).items():
            steps[tuple(sorted(numbers))].append(step)
        found += [f"{_named({start})}-{_named(set(ends))}/{_numbers(set(each))}" for ends, each in steps.items()]
        to_end = [step for step, ends in _ends_by_step(start, wanted, 1, 12).items() if 12 in ends]
        found += [f"{_named({start})}/{_numbers(set(to_end))}"] if to_end else []
        found.append(f"{_named({start})}-{_named({start})}(/[0-9]+)?")
    starts = _named(wanted)
    return [*found, f"{starts}-[0-9A-Z]+/0*{_above(12)}", f"{starts}/0*{_above(12)}"]


def _ends_by_step(start: int, wanted: AbstractSet[int], first: int, last: int) -> dict[int, set[int]]:
    """Return the ends with which a range with a step only selects wanted numbers, for each step up to the field's size.

    Ranges may wrap around the end of the field.
    """
    size = last - first + 1
    found: dict[int, set[int]] = defaultdict(set)
    for end in range(first, last + 1):
        numbers = [(start + place - first) % size + first for place in range((end - start) % size + 1)]
        for step in range(1, size + 1):
            if set(numbers[::step]) <= wanted and len(numbers) > 1:
                found[step].add(end)
    return found


def _numbers(numbers: AbstractSet[int]) -> str:
    """Return the pattern of numbers from 1 to 99, with leading zeros."""
    parts = []
    for tens, each in groupby(sorted(numbers), lambda number: number // 10):
        digits = "".join(str(number % 10) for number in each)
        shown = digits if len(digits) == 1 else f"[{digits}]" if len(digits) < 4 else f"[{_spans(digits)}]"
        parts.append(f"{tens or ''}{shown}")
    return f"0*{parts[0]}" if len(parts) == 1 else f"0*({'|'.join(parts)})"


def _spans(digits: str) -> str:
    contiguous = "0123456789".find(digits) >= 0
    return f"{digits[0]}-{digits[-1]}" if contiguous else digits


def _named(numbers: AbstractSet[int]) -> str:
    """Return the pattern of months, as numbers and as names."""
    return f"({_numbers(numbers)}|{'|'.join(MONTHS[number - 1] for number in sorted(numbers))})"


def _above(number: int) -> str:
    """Return the pattern of all numbers above a number from 10 to 89, without leading zeros."""
    tens, ones = divmod(number, 10)
    return f"({tens}[{ones + 1}-9]|[{tens + 1}-9][0-9]|[1-9][0-9]{{2,}})"
