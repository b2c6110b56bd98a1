"""Implements `make screenshots`, which takes the pictures of the documentation from a running `make run`."""  # noqa: INP001 — a script

import argparse
import base64
import sys
from pathlib import Path
from typing import Final

import httpx
from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parents[3] / "docs/images"
CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT = 1280, 800
#: WebP quality, from 0 to 100. Above it the files grow without a visible difference.
QUALITY = 85
#: The pages that README.md shows. Only they have a picture in the dark theme too.
IN_README: Final = ("overview", "quote")
#: File name → path of each page.
PAGES: Final = {
    "overview": "/",
    "quotes": "/quotes",
    "quote": "/quotes/AAPL",
    "news": "/news",
    "assets": "/assets",
    "quarantine": "/quarantine",
    "schedules": "/schedules",
    "schedule": "/schedules/default/fetch-crypto-prices",
    "runs": "/runs",
    "tasks": "/tasks",
    "dead-letters": "/dead-letters",
    "providers": "/providers",
    "fleet": "/fleet",
    "about": "/about",
}


def take(browser: Browser, address: str, path: str, theme: str) -> bytes:
    """Return a picture of a page as WebP.

    Args:
        browser: Running browser.
        address: URL of the console.
        path: Path of the page.
        theme: `light` or `dark`.
    """
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        timezone_id="UTC",
        locale="en-US",
    )
    try:
        page = context.new_page()
        response = page.goto(address + path, wait_until="networkidle")
        if response is None or not response.ok:
            sys.exit(f"make screenshots: {address + path} answered {response and response.status}")
        # Playwright itself can only write PNG and JPEG, which are several times larger.
        session = context.new_cdp_session(page)
        picture = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
        return base64.b64decode(picture["data"])
    finally:
        context.close()


def main() -> None:
    """Take the pictures of all pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="URL of the console, such as http://localhost:8000")
    address = parser.parse_args().address.rstrip("/")
    try:
        httpx.get(f"{address}/api/health/", timeout=5).raise_for_status()
    except httpx.HTTPError as error:
        sys.exit(f"make screenshots: nothing answers at {address} ({error}); start `make run`, or set CONSOLE")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name, path in PAGES.items():
            for theme in ("light", "dark") if name in IN_README else ("light",):
                (FOLDER / f"{name}-{theme}.webp").write_bytes(take(browser, address, path, theme))
        browser.close()


if __name__ == "__main__":
    main()
