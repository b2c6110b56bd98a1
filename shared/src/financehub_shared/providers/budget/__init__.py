"""Rate budgets: what may be sent to each upstream, by all pods together."""

from financehub_shared.providers.budget.budget import Budget
from financehub_shared.providers.budget.core import Limit
from financehub_shared.providers.budget.limits import LIMITS

__all__ = ["LIMITS", "Budget", "Limit"]
