"""Everything a worker process consists of: its broker, its middleware, its observers and its actors."""
