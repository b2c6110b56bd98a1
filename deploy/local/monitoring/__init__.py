"""`make monitoring`: a Prometheus for the processes of `make run`."""
