"""Rate budgets, which limit the calls that all processes of the fleet together send to each upstream."""

from financehub_shared.budget.budget import Budget
from financehub_shared.core.provider_specs import Limit

__all__ = ["Budget", "Limit"]
