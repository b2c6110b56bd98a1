"""The commands, one module each. `financehub_cli.app` registers them."""
