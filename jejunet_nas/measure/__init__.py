"""Measures graphs, the front of a study, or a bundle, and saves what a phone measured."""
