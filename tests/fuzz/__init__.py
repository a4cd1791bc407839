"""Damaged inputs for everything that is read: each must end in success or in one line for the user. `make fuzz` runs them."""
