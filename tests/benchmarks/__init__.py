"""Timings that a claim rests on: run by hand, not by pytest."""
