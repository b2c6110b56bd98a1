"""The scheduler's composition root: `financehub-scheduler --schedules deploy/local/schedules`."""

import argparse
import asyncio
import signal
from pathlib import Path

from financehub_scheduler.service import serve
from financehub_shared.errors import ConfigError
from financehub_shared.settings import exit_on_config_error, load_settings


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="financehub-scheduler",
        description="Turns ScheduledTasks into exactly-once enqueues; run as many as you like.",
    )
    parser.add_argument(
        "--broker", metavar="URL", help="Redis of the queues (default: DRAMATIQ_BROKER_URL, REDIS_URL, …)"
    )
    parser.add_argument(
        "--schedules", metavar="DIR", type=Path, required=True, help="folder of ScheduledTask YAML, watched"
    )
    parser.add_argument("--assets", metavar="FILE", type=Path, help="declared assets (YAML), reconciled into the store")
    return parser.parse_args()


def main() -> None:
    """Entry point: wrong settings and flags end with one line and exit code 2."""
    arguments = _arguments()
    try:
        settings = load_settings()
        overrides = {"dramatiq_broker_url": arguments.broker, "assets_file": arguments.assets}
        settings = settings.model_copy(update={name: value for name, value in overrides.items() if value is not None})
        asyncio.run(serve(settings, arguments.schedules, (signal.SIGTERM, signal.SIGINT)))
    except ConfigError as error:
        exit_on_config_error(error)


if __name__ == "__main__":
    main()
