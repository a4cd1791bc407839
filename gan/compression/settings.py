"""A GAN Compression run as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import UserError, check_least
from common.evaluate.settings import needs_supernet
from common.stages.settings import PathPhaseSettings, PhaseSettings, check_trained
from gan.compression.space import BLOCKS, choices
from gan.settings import GameSettings, TranslationSettings

COSTS = ("params", "macs")
"""Costs of a generator, for one picture of the run's size, as the paper counts them: `common.cost.count.output_elements`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherSettings:
    """The large generator that is compressed."""

    width: int
    """Its base width everywhere (ngf)."""
    mobile: bool
    """Whether its blocks are depthwise-separable (the full pipeline) or dense (the fast one)."""
    run: str | None = None
    """A finished run's folder, whose teacher and discriminator are taken instead of training them."""


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
        choices(self.space)
        self.check_costs(COSTS, "generator")
        check_least(self, "", ("blocks",), 3)
        if self.blocks % 3:
            raise UserError(f"blocks={self.blocks}: a third of the blocks shares a hidden width; give a multiple of 3")
        check_least(self.teacher, "teacher", ("width",), 1)
        for name, game in (("paired", self.paired), ("unpaired", self.unpaired)):
            check_least(game, name, ("distil",), 0)
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout={self.dropout}: a probability lies from 0 to below 1")
        if self.distil.steps and not self.teacher.mobile:
            raise UserError(
                f"distil.steps={self.distil.steps}: a student begins with the filters of a mobile teacher; set "
                "teacher.mobile=true, or distil.steps=0 (the fast pipeline)"
            )
        if self.distil.steps and max(choices(self.space).positions()[2]) > self.teacher.width:
            raise UserError(
                f"teacher.width={self.teacher.width}: space {self.space} has wider students, which cannot begin with its "
                "filters; give a teacher as wide, or distil.steps=0"
            )
        student = {"supernet": self.supernet} if self.inherits else {"finetune": self.finetune}
        check_trained(student | ({} if self.teacher.run is not None else {"train_teacher": self.train_teacher}), "generator")

    @property
    def inherits(self) -> bool:
        """Whether candidates, and with them the networks that are retrained, begin with the weights of a supernet."""
        return needs_supernet(self.search.evaluation)
