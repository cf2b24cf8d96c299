"""Networks: MobileNetV2, decoder and gate, as the three graphs key, propagate and gate."""
