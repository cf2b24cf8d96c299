"""One trial: find or make its network (build, train, compress, judge), then evaluate its policy."""
