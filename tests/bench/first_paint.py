"""Measures what a reader waits for when a page of the console opens in a browser whose cache is empty."""

from dataclasses import dataclass

from playwright.sync_api import sync_playwright

_CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
#: Milliseconds until the first text or picture (Paint Timing), and the bytes of the page and of all that it loaded.
_FIGURES = """() => {
    const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    return [paint ? paint.startTime : null, loaded.reduce((sum, each) => sum + each.transferSize, 0)];
}"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint').length > 0"


@dataclass(frozen=True, slots=True)
class Opening:
    """How a page opened.

    Args:
        paint_ms: Milliseconds until the first text or picture.
        kilobytes: Size of the page with its styles, scripts and data, as they were transferred.
    """

    paint_ms: float
    kilobytes: float


def open_pages(base_url: str, paths: list[str], rounds: int) -> dict[str, Opening]:
    """Open pages several times, and return the fastest opening of each.

    Args:
        base_url: Address of the console.
        paths: Paths of the pages.
        rounds: How often each page is opened.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        found: dict[str, Opening] = {}
        for path in paths * rounds:
            context = browser.new_context(base_url=base_url)
            page = context.new_page()
            page.goto(path)
            page.wait_for_function(_PAINTED)
            page.wait_for_load_state("networkidle")
            paint_ms, size = page.evaluate(_FIGURES)
            opening = Opening(paint_ms, size / 1_000)
            found[path] = min(opening, found.get(path, opening), key=lambda each: each.paint_ms)
            context.close()
        browser.close()
    return found
