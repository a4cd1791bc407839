"""Convolutions of signs: one bit per weight and per activation, counted with XOR and popcount."""
