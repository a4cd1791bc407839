"""The game between a generator of pictures and its discriminator: pix2pix on pairs, CycleGAN's without (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from common.run.checkpoint import load_weights, save_weights
from common.streams import derive
from gan.discriminators import PatchGAN
from gan.losses import discriminator_loss, frozen, generator_loss
from gan.settings import GameSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """One side of the game, from inputs to targets.

    Attributes:
        settings: what is played for.
        paired: whether every input has its target; the discriminator then sees both.
        begin: weights that the discriminator begins with; none draws them anew.
        end: where its weights are left after the last step; none leaves them nowhere.
    """

    settings: GameSettings
    paired: bool
    begin: Path | None = None
    end: Path | None = None

    def discriminator(self, seed: int, name: str = "discriminator") -> PatchGAN:
        """The discriminator before the first step."""
        made = PatchGAN(6 if self.paired else 3, self.settings.discriminator, derive(seed, name))
        if self.begin is not None:
            load_weights(self.begin, made)
        return made

    def played(self, discriminator: nn.Module, inputs: Tensor, real: Tensor, fake: Tensor, shown: Tensor) -> dict[str, Tensor]:
        """The losses of both players, whose gradients can be taken at once.

        Args:
            discriminator: of this game.
            inputs: (n, 3, h, w), what the pictures were made from.
            real: true pictures.
            fake: generated ones, with the generator's graph.
            shown: those that the discriminator learns from: `fake`, or a pool's.
        """
        kind = self.settings.adversarial
        judged = discriminator_loss(
            kind, self._scores(discriminator, inputs, real), self._scores(discriminator, inputs, shown.detach())
        )
        with frozen(discriminator):
            fooled = generator_loss(kind, self._scores(discriminator, inputs, fake))
        return {"loss_gan": fooled, "loss_discriminator": judged}

    def keep(self, discriminator: nn.Module) -> None:
        """Leaves the discriminator's weights at `end`."""
        if self.end is not None:
            self.end.parent.mkdir(parents=True, exist_ok=True)
            save_weights(self.end, discriminator)

    def _scores(self, discriminator: nn.Module, inputs: Tensor, pictures: Tensor) -> Tensor:
        return discriminator(torch.cat((inputs, pictures), 1) if self.paired else pictures)


def weighted(terms: Mapping[str, tuple[float, Tensor]]) -> dict[str, Tensor]:
    """Each loss times its weight; those of weight 0 are left out."""
    return {name: weight * value for name, (weight, value) in terms.items() if weight}
