"""Fuzzing: made-up and damaged inputs for every parser of the project (`make fuzz`)."""
