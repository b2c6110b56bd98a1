"""The resource `ScheduledTask`: its model, its parser for YAML, and the rules for the API server."""
