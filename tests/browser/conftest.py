"""A browser, and a web process with a filled Redis."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser, Request, expect, sync_playwright

from financehub_shared.market.redis_store import RedisStore
from support.console import Console, fill_for_console
from support.hostile_fleet import fill_hostile
from support.large_fleet import put_many_assets, put_many_runs
from support.redis_server import RedisServer
from support.tabs import OpenTab, Tab

CHROMIUM = "/usr/bin/chromium"
#: A page asks for an update every 5 s, and the first one may show what the server has read before a change.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A web process whose Redis contains everything that the pages show, some of it hostile."""
    with _console(tmp_path_factory.mktemp("console")) as process:
        yield process


@pytest.fixture(scope="module")
def writable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The same in the mode `write`, with a separate Redis, which the tests of a module change."""
    with _console(tmp_path_factory.mktemp("writable"), FINANCEHUB_WEB_MODE="write") as process:
        yield process


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A web process whose Redis contains hostile names of everything that has a name, with actions on all of them."""
    with _console(tmp_path_factory.mktemp("hostile"), fill_hostile, FINANCEHUB_WEB_MODE="write") as process:
        yield process


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A web process with 1,000 further assets and 10,000 further runs."""
    with _console(tmp_path_factory.mktemp("large"), _fill_large) as process:
        yield process


def _fill_large(client: redis.Redis, url: str) -> None:
    fill_for_console(client, url)
    put_many_assets(RedisStore(client))
    put_many_runs(client)


@contextmanager
def _console(
    folder: Path, fill: Callable[[redis.Redis, str], None] = fill_for_console, **environment: str
) -> Iterator[Console]:
    server = RedisServer(folder).start()
    with redis.Redis.from_url(server.url) as client, ThreadPoolExecutor(1) as thread:
        # The thread of the test has the event loop of the browser, and filling needs one too.
        thread.submit(fill, client, server.url).result()
    process = Console(server.url, folder, environment)
    try:
        yield process.await_ready()
    finally:
        process.stop()
        server.stop()


@pytest.fixture(scope="session")
def browser(console: Console) -> Iterator[Browser]:
    """Debian's chromium without a window."""
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=180_000)
        yield running
        running.close()


@pytest.fixture
def open_tab(browser: Browser, console: Console) -> Iterator[OpenTab]:
    """A function that opens a tab of a given size, theme and so on. Its pages update themselves unless it is paused."""
    contexts = []

    def open_(width: int = 1280, height: int = 900, *, is_paused: bool = False, **options: object) -> Tab:
        settings = {"timezone_id": "America/New_York", "base_url": console.url, **options}
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)  # type: ignore[arg-type]
        contexts.append(context)
        if is_paused:
            context.add_init_script("localStorage.setItem('paused', 'yes')")
        tab = Tab(context.new_page())
        tab.page.on("console", lambda message: tab.problems.append(message.text) if message.type == "error" else None)
        tab.page.on("pageerror", lambda error: tab.problems.append(str(error)))
        tab.page.on("requestfailed", lambda request: _add_failure(tab, request))
        return tab

    yield open_
    for context in contexts:
        context.close()


def _add_failure(tab: Tab, request: Request) -> None:
    # An update that is in progress while the tab goes to the next page is aborted.
    if request.failure != "net::ERR_ABORTED":
        tab.problems.append(f"{request.url}: {request.failure}")
