"""How a generator is trained without a teacher: pix2pix on pairs, CycleGAN without pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from common.network_phase import NetworkPhase
from common.train.step import Step
from gan.data import Augmentation, Split, batch_at
from gan.game import Game, weighted
from gan.losses import Pool


class Players(nn.Module):
    """A generator and its discriminator, which one optimiser trains."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator


@dataclass(frozen=True, slots=True, kw_only=True)
class Played(NetworkPhase):
    """A phase of generators and discriminators, which step at once from the weights before; a subclass gives the losses.

    Attributes:
        game: what they play for (CycleGAN: in each direction), and whether the data are pairs.
        split: to train on.
        augmentation: of its pictures.
    """

    game: Game
    split: Split
    augmentation: Augmentation

    def batch_at(self, step: int, seed: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets, which belong together in pairs alone."""
        return batch_at(self.split, step, self.settings.batch, seed, self.name, self.augmentation, self.game.paired)

    def finish(self, network: nn.Module, model: nn.Module) -> None:
        """Keeps the weights of the discriminator of the targets where the game says."""
        self.game.keep(model.discriminator)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pix2Pix(Played):
    """pix2pix (Isola et al. 2017) with the hinge loss: a generator against a discriminator that sees input and picture.

    Both players step at once, from the weights before the step, as in GAN Compression's code (pix2pix's own updates the
    discriminator first).
    """

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        """The generator and a discriminator."""
        return Players(network, self.game.discriminator(seed))

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor], step: Step) -> Mapping[str, Tensor]:
        """The game's losses, and the generator's distance to the target."""
        players: Any = model
        inputs, targets = batch
        fake = players.generator(inputs)
        losses = self.game.played(players.discriminator, inputs, targets, fake, fake)
        return losses | weighted({"loss_recon": (self.game.settings.recon, F.l1_loss(fake, targets))})


class ThereAndBack(nn.Module):
    """Two generators of opposite directions; on its own it goes there."""

    def __init__(self, make: Callable[[int], nn.Module]) -> None:
        """Makes both; `make` is given 0 and 1."""
        super().__init__()
        self.there = make(0)
        self.back = make(1)

    def forward(self, x: Tensor) -> Tensor:
        """The picture in the target domain."""
        return self.there(x)


class _CyclePlayers(nn.Module):
    """Two generators, a discriminator for each domain, and their pools of generated pictures."""

    def __init__(self, generators: nn.Module, game: Game, seed: int, size: int) -> None:
        super().__init__()
        self.generators = generators
        self.discriminator = game.discriminator(seed)
        self.discriminator_back = replace(game, begin=None).discriminator(seed, "discriminator back")
        self.pool = Pool(game.settings.pool, size)
        self.pool_back = Pool(game.settings.pool, size)


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleGAN(Played):
    """CycleGAN (Zhu et al. 2017): two generators, least squares, consistency there and back, identity, pools of 50 pictures.

    All four networks step at once, from the weights before the step: the same as the published order (generators first, then
    discriminators on pictures made before).
    """

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        """The two generators of `network` and their discriminators."""
        return _CyclePlayers(network, self.game, seed, self.augmentation.size)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor], step: Step) -> Mapping[str, Tensor]:
        """The losses of both games, of the cycles and of identity."""
        players: Any = model
        a, b = batch
        there, back = players.generators.there, players.generators.back
        fake_b, fake_a = there(a), back(b)
        games = (
            self.game.played(players.discriminator, a, b, fake_b, players.pool.swapped(fake_b)),
            self.game.played(players.discriminator_back, b, a, fake_a, players.pool_back.swapped(fake_a)),
        )
        s = self.game.settings
        cycle = F.l1_loss(back(fake_b), a) + F.l1_loss(there(fake_a), b)
        losses = {name: games[0][name] + games[1][name] for name in games[0]} | weighted({"loss_cycle": (s.cycle, cycle)})
        if s.identity:
            same = F.l1_loss(there(b), b) + F.l1_loss(back(a), a)
            losses |= weighted({"loss_identity": (s.cycle * s.identity, same)})
        return losses
