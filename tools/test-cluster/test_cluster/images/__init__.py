"""Builds the images for the end-to-end tests. Provides a Docker engine and base images if there are none."""
