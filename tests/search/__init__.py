"""Tests of the study around a trial."""
