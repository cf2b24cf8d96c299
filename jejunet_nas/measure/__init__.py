"""Measures again what was found: graphs, the front of a study, a bundle."""
