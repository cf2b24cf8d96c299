"""From a trained Keras network to checked int8 graphs."""
