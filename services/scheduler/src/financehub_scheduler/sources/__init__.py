"""The source of schedules in a folder of YAML files. The engine does not depend on it."""
