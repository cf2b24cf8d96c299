"""Where clips come from: readers of data sets, the cache of their frames, the training batches."""
