"""How a gradient-based search weighs options, as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.errors import UserError

Kind = Literal[
    "softmax",
    "sigmoid",
    "gumbel-softmax",
    "hard-gumbel",
    "annealed-gumbel",
    "one-gate",
    "two-gates",
    "one-hot",
    "dirichlet",
    "reinmax",
]

READS: dict[Kind, tuple[str, ...]] = {
    "softmax": ("temperature", "shape", "keep", "drawn"),
    "sigmoid": (),
    "gumbel-softmax": ("temperature", "shape"),
    "hard-gumbel": ("temperature", "shape"),
    "annealed-gumbel": ("noise", "shape"),
    "one-gate": (),
    "two-gates": (),
    "one-hot": ("kept",),
    "dirichlet": (),
    "reinmax": ("temperature",),
}
"""Kind -> the settings that it reads."""

DRAWN: tuple[Kind, ...] = (
    "gumbel-softmax",
    "hard-gumbel",
    "annealed-gumbel",
    "one-gate",
    "two-gates",
    "dirichlet",
    "reinmax",
)
"""Kinds whose weights are drawn anew in every step; those of `softmax` are where `keep` is below 1."""

SAMPLED: tuple[Kind, ...] = ("hard-gumbel", "annealed-gumbel")
"""Kinds that compute one option alone, in the architecture's steps too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightingSettings:
    """How logits become weights; see `common.relax.weightings` and `common.relax.gates`. A kind takes the settings it reads."""

    kind: Kind = "softmax"
    """Function from logits to weights."""
    temperature: tuple[float, float] = (1.0, 1.0)
    """Temperature of a softmax (BATS) and of the Gumbel weightings of SNAS and GDAS, at the beginning and at the end. ReinMax has
    one: give it twice."""
    noise: tuple[float, float] = (1.0, 0.0)
    """Factor of annealed Gumbel noise, at the beginning and at the end."""
    shape: Literal["linear", "exponential"] = "linear"
    """Shape of the fall of the temperature, or of the noise."""
    keep: float = 1.0
    """Fraction of options of a softmax computed per step (in (0, 1])."""
    drawn: Literal["uniform", "proportional"] = "uniform"
    """How that fraction is drawn: all options alike, or in proportion to their probabilities."""
    kept: int = 1
    """Number of options that a one-hot weighting takes."""

    @property
    def random(self) -> bool:
        """Whether the weights are drawn anew in every step."""
        return self.kind in DRAWN or self.keep < 1


def check_weighting(name: str, settings: WeightingSettings) -> None:
    """Refuses values out of range, and settings that the kind does not read.

    Args:
        name: of the settings, `search.engine.options` say.
        settings: what is checked.

    Raises:
        UserError: names the setting, the rule and the remedy.
    """
    s, reads = settings, READS[settings.kind]
    start, end = s.temperature
    least = 0.0 if s.shape == "linear" else 1e-300
    for field, holds, rule in (
        ("temperature", start > 0 and end > 0, "two numbers above 0"),
        ("temperature", s.kind != "reinmax" or start == end >= 1, "one temperature twice, 1 or more: ReinMax does not change it"),
        (
            "noise",
            "noise" not in reads or min(s.noise) >= least,
            "two numbers of 0 or more; above 0 if the noise falls exponentially",
        ),
        ("keep", 0 < s.keep <= 1, "a fraction above 0 and at most 1"),
        ("kept", s.kept >= 1, "1 or more"),
    ):
        if not holds:
            value = getattr(s, field)
            raise UserError(f"{name}.{field}={list(value) if isinstance(value, tuple) else value}: give {rule}")
    if s.kind == "softmax" and s.keep == 1:
        reads = ("temperature", "shape", "keep")
    plain = WeightingSettings()
    for field in ("temperature", "noise", "shape", "keep", "drawn", "kept"):
        value = getattr(s, field)
        if field not in reads and value != getattr(plain, field):
            told = list(value) if isinstance(value, tuple) else value
            need = " with keep=1" if field == "drawn" and s.kind == "softmax" else ""
            raise UserError(
                f"{name}.{field}={told}: kind={s.kind}{need} does not read it; leave it out, or give the weighting as a whole: "
                f'{name}={{"kind":"{s.kind}"}}'
            )
