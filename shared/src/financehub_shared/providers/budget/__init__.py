"""Rate budgets: the calls that may be sent to each upstream by all processes of the fleet together."""

from financehub_shared.core.provider_specs import Limit
from financehub_shared.providers.budget.budget import Budget

__all__ = ["Budget", "Limit"]
