"""The judge of a history: pure functions on events and the final state of Redis. It imports nothing of FinanceHub."""

from history.checker.check import check
from history.checker.verdict import Promises, Verdict

__all__ = ["Promises", "Verdict", "check"]
