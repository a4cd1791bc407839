"""Differentiable search (DARTS and its kin), for any task."""
