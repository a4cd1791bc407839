"""A GAN Compression run as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import check_least
from common.evaluate.settings import needs_supernet
from common.stages.settings import PathPhaseSettings, PhaseSettings, check_trained
from gan.compression.space import BLOCKS, TeacherSettings, check_sizes
from gan.settings import GameSettings, TranslationSettings

COSTS = ("params", "macs")
"""Costs of a generator, for one picture of the run's size, counted as in the paper: `common.cost.conventions.output_elements`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentGame(GameSettings):
    """What a student and its discriminator play for; without pairs the target is the teacher's picture."""

    distil: float
    """Weight of the difference between a student's inner maps and its teacher's; 0 trains without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(TranslationSettings):
    """Everything that decides what a run computes."""

    space: str
    """Choice set of the students' widths: see `gan.compression.space.CHOICES`."""
    teacher: TeacherSettings
    train_teacher: PhaseSettings
    """pix2pix on pairs, CycleGAN without."""
    distil: PathPhaseSettings
    """The widest student alone, begun with the teacher's most important filters (the full pipeline); 0 steps leave it out."""
    supernet: PathPhaseSettings
    """Students of all widths, one a step; trained if the search inherits weights."""
    finetune: PhaseSettings
    """A single student, begun with its part of the supernet's weights (0 steps keep them as they are), or anew without one."""
    paired: StudentGame
    """The game on pairs."""
    unpaired: StudentGame
    """The game without pairs."""
    blocks: int = BLOCKS
    """Residual blocks of every generator; a multiple of 3."""
    dropout: float = 0.0
    """Probability inside the blocks."""
    without_distillation: bool = True
    """Whether what was found is trained once more for the comparison: from nothing, for as many steps as the supernet and the
    fine-tuning had, without its teacher's inner maps."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown space, score or budget, or a number out of range.
        """
        TranslationSettings.__post_init__(self)  # not super(): slots make the class anew
        self.check_costs(COSTS, "generator")
        check_sizes(self.space, self.blocks, self.dropout, self.teacher, distilled=self.distil.steps > 0)
        for name, game in (("paired", self.paired), ("unpaired", self.unpaired)):
            check_least(game, name, ("distil",), 0)
        student = {"supernet": self.supernet} if self.inherits else {"finetune": self.finetune}
        check_trained(student | ({} if self.teacher.run is not None else {"train_teacher": self.train_teacher}), "generator")

    @property
    def inherits(self) -> bool:
        """Whether candidates, and with them the networks that are retrained, begin with the weights of a supernet."""
        return needs_supernet(self.search.evaluation)
