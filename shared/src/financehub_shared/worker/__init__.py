"""The components of a worker process: its broker, middleware, observers and actors."""
