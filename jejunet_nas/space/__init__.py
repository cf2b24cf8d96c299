"""What may vary: architectures, and the spaces they are drawn from."""
