"""What a trained network is worth on the validation clips: its policies, its gate."""
