"""Tests of what may vary."""
