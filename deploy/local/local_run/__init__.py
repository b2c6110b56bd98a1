"""Starts, watches and stops the processes of `make run`."""
