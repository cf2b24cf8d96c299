"""The act of searching: draw, refuse, train, measure, resume."""
