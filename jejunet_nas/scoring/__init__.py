"""What masks are worth: mIoU, and the Pareto front of mIoU and latency."""
