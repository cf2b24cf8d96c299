"""Architectures, and the search spaces from which they are drawn."""
