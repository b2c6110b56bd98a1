"""The images as the end-to-end tests get them: an engine, base images where none can be pulled, builds and archives."""
