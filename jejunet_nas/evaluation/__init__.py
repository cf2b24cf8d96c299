"""A trained network on whole validation clips: its policies, its gate, a film of one clip."""
