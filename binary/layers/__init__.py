"""Layers of binary networks: signs with gradients, convolutions with binary weights, shifted activations."""
