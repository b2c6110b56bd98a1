"""What every HTTP request passes, in ASGI middleware: its id, its client, its measurement, and HEAD."""
