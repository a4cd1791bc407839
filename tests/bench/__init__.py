"""Speed ratios this project promises, measured in one process: `make bench` writes docs/results/bench.md."""
