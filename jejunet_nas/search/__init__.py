"""The study around a trial: sampling, refusing, resuming, keeping. Optuna is imported here only."""
