"""The fleet's health report, each process's probes, and the HTTP server that publishes both.

The package imports none of its modules, because the command line uses some of them and not the others.
"""
