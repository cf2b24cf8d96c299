"""The version of this package, for pages and bundles; `pyproject.toml` has the same."""

__version__ = "0.1.0"
