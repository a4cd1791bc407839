"""What evaluators are: they take architectures and a fidelity and return one `Scores` each.

The search loop defines the shape of what is plugged into it; evaluators import it from here.
"""

from common.search.base import Evaluator, Scores

__all__ = ["Evaluator", "Scores"]
