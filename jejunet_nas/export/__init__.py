"""Export: a trial, trained for longer on request, as a bundle that others can run and check."""
