"""Builds what a release consists of, from one commit: `make release`. docs/releasing.md explains it."""
