"""Phases of two players: whether inputs and targets belong together follows from the game."""

import torch

from common.stages.settings import PhaseSettings
from common.train.optim import OptimSettings
from gan.data import Augmentation, batch_at, embedded
from gan.game import Game
from gan.phases import CycleGAN, Pix2Pix
from gan.settings import GameSettings

SPLIT = embedded("photographs", size=24, train=6, val=2, test=2).train
CUT = Augmentation(size=20, load=24, flip=True)


def test_batches_are_pairs_where_the_game_is_of_pairs():
    drawn = []
    for kind, paired in ((Pix2Pix, True), (CycleGAN, False)):
        game = Game(settings=GameSettings(adversarial="hinge", recon=1.0, discriminator=4), paired=paired)
        settings = PhaseSettings(steps=1, batch=3, optim=OptimSettings())
        phase = kind(name="play", settings=settings, game=game, split=SPLIT, augmentation=CUT)
        drawn.append(phase.batch_at(2, seed=1))
        expected = batch_at(SPLIT, 2, 3, 1, "play", CUT, paired)
        assert all(torch.equal(one, other) for one, other in zip(drawn[-1], expected, strict=True))
    assert not torch.equal(drawn[0][0], drawn[1][0])
