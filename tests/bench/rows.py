"""What a benchmark reports."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure.

    Args:
        name: case and figure, dotted (`broker.process.rate`).
        value: measured for FinanceHub.
        unit: `msg/s`, `ms`, `MB`, …
        peer: what it was measured beside in the same run; empty where there is none.
        peer_value: the peer's figure, same unit; None where there is none.
        goal: the goal in words (`>= 0.7 x bare dramatiq`); empty for a figure that is only shown.
        ok: whether the goal is met; None for a figure that is only shown.
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    goal: str = ""
    ok: bool | None = None
