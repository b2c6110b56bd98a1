"""The benchmark's schedules for comparable schedulers: ten thousand, all due at every full minute."""

COUNT = 10_000
