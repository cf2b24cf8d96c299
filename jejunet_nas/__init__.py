"""jejunet_nas: search for int8 video segmentation networks that keep up with a phone's camera."""

import os

__version__ = "0.1.0"

# tensorflow-model-optimization takes Keras 2 models only; set before TensorFlow's first import.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
