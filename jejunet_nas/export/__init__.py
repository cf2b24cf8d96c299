"""Export: a trial, trained on if asked for, as a bundle that others can run and check."""
