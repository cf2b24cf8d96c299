"""One trial, from an architecture to its record: set up, train or find, compress, judge, score."""
