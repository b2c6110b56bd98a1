"""The schedules of the benchmark for comparable schedulers: ten thousand, all due at every full minute."""

COUNT = 10_000
