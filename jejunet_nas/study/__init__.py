"""The record of a study: its settings, its trials in Optuna's storage, and their results."""
