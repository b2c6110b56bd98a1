"""Generates the manifests for a cluster from the models and the catalog. The scheduler does not use this package."""
