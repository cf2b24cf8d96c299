"""Export: a trial, fine-tuned on request, as a bundle that others can run and check."""
