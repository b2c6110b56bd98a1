"""A tab of the browser, and all pages of the console."""

from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Page

from support.console import HOSTILE_LETTER, HOSTILE_RUN


@dataclass
class Tab:
    """A page in the browser, with everything that it complained about.

    Args:
        page: The page.
        problems: Errors of scripts, violations of the content security policy, and requests that failed.
    """

    page: Page
    problems: list[str] = field(default_factory=list)


OpenTab = Callable[..., Tab]

#: Path of each page → its title.
PAGES = {
    "/": "Overview",
    "/quotes": "Quotes",
    "/quotes/AAPL": "AAPL",
    "/quotes/BTC-USD": "BTC-USD",
    "/news": "News",
    "/assets": "Assets",
    "/quarantine": "Quarantine",
    "/schedules": "Schedules",
    "/schedules/default/demo": "default/demo",
    "/runs": "Runs",
    f"/runs/{HOSTILE_RUN}": "Run hostile-",
    "/tasks": "Tasks",
    "/dead-letters": "Dead letters",
    f"/dead-letters/{HOSTILE_LETTER}": "Dead letter of fetch_news_task",
    "/providers": "Providers",
    "/fleet": "Fleet",
    "/about": "About",
}
