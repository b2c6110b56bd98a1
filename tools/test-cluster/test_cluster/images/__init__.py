"""Builds the images for the end-to-end tests, with a Docker engine and base images of its own if there are none."""
