"""The results that a benchmark reports."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured value, with the value of a comparable project if there is one.

    Args:
        name: Benchmark name and value name, separated by dots (`broker.enqueue.ours`).
        value: Value of FinanceHub.
        unit: Unit of both values: `msg/s`, `ms`, `MB`, and so on.
        peer: The comparable project that was measured in the same run. Empty if there is none.
        peer_value: The peer's value. None if there is no peer.
        goal: Description of the goal (`>= 0.7 x bare dramatiq`). Empty for a value without a goal.
        ok: Whether the goal is met. None for a value without a goal.
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    goal: str = ""
    ok: bool | None = None
