"""`make monitoring` starts a Prometheus for the processes of `make run`."""
