"""Chains that tests put the tiny network through, in words; nothing here is a test."""

FLOATS = ("float32", "float16", "dynamic")
INT8 = "int8"
PRUNED = "prune:steps=3 + int8"
AWARE = "qat:steps=3,gate_steps=3"
# Zeros, then clusters that keep them, then rounding that keeps both: 30 s of a core.
KEPT = "prune:kind=magnitude,steps=4 + cluster:steps=3 + qat:steps=2,gate_steps=2"
