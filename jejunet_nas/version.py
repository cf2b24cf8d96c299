"""The version of this package, for pages and bundles; `pyproject.toml` says the same."""

__version__ = "0.1.0"
