"""Brief training of a network: loop, losses, pretrained weights, gate."""
