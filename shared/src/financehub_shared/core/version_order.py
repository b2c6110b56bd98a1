"""The order of FinanceHub's versions, as Python writes them (`1.2.0rc1`) and as Helm does (`1.2.0-rc.1`)."""

import re

#: The stages before a release, in order. A release has no stage and comes after all of them.
_STAGES = {"dev": 0, "a": 1, "alpha": 1, "b": 2, "beta": 2, "c": 3, "rc": 3, "pre": 3, "preview": 3}
_RELEASED, _CORRECTED = 4, 5
_FORM = re.compile(
    r"v?(?P<numbers>[0-9]{1,9}(?:\.[0-9]{1,9})*)"
    r"(?:[-_.]?(?P<stage>" + "|".join(_STAGES) + r")[-_.]?(?P<attempt>[0-9]{1,9})?)?"
    r"(?:\.?post(?P<correction>[0-9]{1,9}))?"
    # What follows is the build, which has no order.
    r"(?:\+[0-9a-z.-]+)?",
    re.IGNORECASE,
)

#: A version as a value that can be compared with `<` and `==`.
VersionOrder = tuple[tuple[int, ...], int, int, int]


def version_order(text: str) -> VersionOrder | None:
    """Return a value by which versions are compared, or None if the text is not a version.

    Args:
        text: The version, such as `1.2.0`, `1.2.0rc1`, `1.2.0-rc.1`, `v1.2` or `1.2.0+build.7`.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    numbers = [int(number) for number in found["numbers"].split(".")]
    # 1.2 and 1.2.0 are the same version.
    while numbers and numbers[-1] == 0:
        numbers.pop()
    stage = _STAGES[found["stage"].lower()] if found["stage"] else _RELEASED
    if stage == _RELEASED and found["correction"]:
        stage = _CORRECTED
    return tuple(numbers), stage, int(found["attempt"] or 0), int(found["correction"] or 0)
