"""Rate budgets, which limit the calls that all processes of the fleet together send to each upstream."""

from financehub_shared.core.provider_specs import Limit
from financehub_shared.providers.budget.budget import Budget

__all__ = ["Budget", "Limit"]
