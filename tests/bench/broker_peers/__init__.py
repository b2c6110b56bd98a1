"""The workers that the broker's benchmark starts, each with the same task: one INCR."""
