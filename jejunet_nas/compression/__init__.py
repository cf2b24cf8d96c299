"""From a trained Keras network to checked `.tflite` graphs."""
