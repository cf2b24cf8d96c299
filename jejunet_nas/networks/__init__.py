"""The three graphs of a network: key, propagate, gate."""
