"""Names and addresses that several dashboards use."""

from typing import Final

#: Dashboard uid → title, in the order in which an operator needs them. A uid is part of the URL and never changes.
DASHBOARDS: Final = {
    "financehub-overview": "FinanceHub / Overview",
    "financehub-tier": "FinanceHub / Tier",
    "financehub-schedules": "FinanceHub / Schedules",
    "financehub-providers": "FinanceHub / Providers",
    "financehub-redis": "FinanceHub / Redis and processes",
    "financehub-web": "FinanceHub / Web",
}
#: Address of the published runbooks. The alert rules use the same prefix, and the chart replaces it in both.
RUNBOOKS_URL: Final = "docs/runbooks"
#: Fraction of errors that each service level objective allows within 30 days.
ERROR_BUDGET: Final = 0.01
