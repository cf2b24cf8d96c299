"""Benchmarks behind the measured claims: run by hand, not by pytest."""
