"""Image classification: the task on which differentiable search is defined."""
