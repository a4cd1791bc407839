"""The core every task shares: spaces, supernets, search, evaluation, cost, training, run folders and reports."""
