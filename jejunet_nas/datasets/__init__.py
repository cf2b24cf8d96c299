"""Data sets: readers of their layouts, the cache of decoded frames, the training batches."""
