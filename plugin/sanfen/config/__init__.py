"""YAML in, frozen policies and settings out; every mistake with file, line and column."""
