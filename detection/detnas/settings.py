"""A DetNAS run as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import UserError
from common.stages.settings import PathPhaseSettings, PhaseSettings, RunSettings, check_trained
from detection.detnas.space import SIZES
from detection.heads import WithPyramid
from detection.necks.settings import PyramidSettings
from detection.settings import DataSettings

COSTS = ("params", "macs", "macs_backbone", "macs_classifier")
"""What an architecture costs: parameters and MACs of the whole detector at the run's image size, and MACs at 224x224.

`macs_backbone` is what the paper limits, `macs_classifier` what its tables print: with the ImageNet classifier.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    space: str
    """Size of the search space: tiny, tiny-scaled, tiny-mobile, 300M, 1.3G or 3.8G."""
    head: WithPyramid
    """What is put on the backbone."""
    pyramid: PyramidSettings | None = None
    """A feature pyramid that is searched with the backbone; None: the head's own."""
    data: DataSettings
    warm_up: PathPhaseSettings
    """Classification with the hand-made path alone, whose weights its siblings then start from. A departure from the paper."""
    pretrain: PathPhaseSettings
    """Classification over sampled paths."""
    detect: PathPhaseSettings
    """Detection over sampled paths."""
    retrain_pretrain: PhaseSettings
    """Classification of a single network, before it is retrained."""
    retrain_detect: PhaseSettings
    """Detection of a single network."""
    label_smoothing: float = 0.1
    """Of the classification loss."""
    dropout: float = 0.2
    """Before the classifier's linear layer."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown space or budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        if self.space not in SIZES:
            raise UserError(f"space {self.space!r} does not exist; choose one of {', '.join(SIZES)}")
        if self.pyramid is not None:
            self.pyramid.under(self.head)
        self.check_costs(COSTS, "detector")
        check_trained({"detect": self.detect, "retrain_detect": self.retrain_detect}, "detector")
