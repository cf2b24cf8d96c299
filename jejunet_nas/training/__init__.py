"""Brief training: batches in, weights out."""
