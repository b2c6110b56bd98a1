"""Entry point of the web process: `financehub-web`."""

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import exit_on_config_error, load_settings
from financehub_shared.redis.startup import refuse_wrong_servers
from financehub_web.app import serve


def main() -> None:
    """Serve the console and the API. If a setting is invalid, the process prints one line and exits with code 2."""
    try:
        settings = load_settings()
        refuse_wrong_servers((settings.broker_url, settings.store_url))
        serve(settings)
    except ConfigError as error:
        exit_on_config_error(error)


if __name__ == "__main__":
    main()
