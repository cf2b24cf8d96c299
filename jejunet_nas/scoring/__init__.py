"""Scores of masks, and the Pareto front of mIoU and latency."""
