"""Tests of what a trained network is worth."""
