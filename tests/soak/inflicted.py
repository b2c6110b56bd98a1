"""A fault that was inflicted, with its times and with what it can excuse."""

from dataclasses import dataclass

from soak.accounts import Disturbance


@dataclass(frozen=True, slots=True)
class Inflicted:
    """A fault that was inflicted.

    Args:
        name: Its name.
        note: What it chose, such as a pod.
        begin, end: Its time in Unix seconds.
        recovered: Time of the recovery in Unix seconds.
        disturbance: What it can excuse.
        problem: Why it counts as a finding: it could not be inflicted, or nothing recovered. Empty otherwise.
    """

    name: str
    note: str
    begin: float
    end: float
    recovered: float
    disturbance: Disturbance
    problem: str = ""
