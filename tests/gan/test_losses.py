"""The game: its losses, the gradients of both players at once, and the pool of generated pictures."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gan.discriminators import PatchGAN
from gan.game import Game
from gan.losses import Pool, discriminator_loss, frozen, generator_loss
from gan.settings import GameSettings

PICTURES = torch.rand(6, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1


def settings(**changes) -> GameSettings:
    values = {"adversarial": "hinge", "recon": 1.0, "discriminator": 4}
    return GameSettings(**{**values, **changes})


def test_the_losses_are_those_of_their_papers():
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, 0.5, 1.0])
    assert float(discriminator_loss("hinge", real, fake)) == pytest.approx(((0 + 0.5 + 2) / 3 + (0 + 1.5 + 2) / 3) / 2)
    assert float(discriminator_loss("lsgan", real, fake)) == pytest.approx(((1 + 0.25 + 4) / 3 + (4 + 0.25 + 1) / 3) / 2)
    assert float(generator_loss("hinge", fake)) == pytest.approx(0.5 / 3)
    assert float(generator_loss("lsgan", fake)) == pytest.approx((9 + 0.25 + 0) / 3)


def test_published_discriminators_have_their_parameters():
    for channels, width, params in ((6, 128, 11_040_641), (3, 64, 2_764_737)):
        assert sum(p.numel() for p in PatchGAN(channels, width, 0).parameters()) == params
    one, other = (PatchGAN(3, 4, seed) for seed in (0, 1))
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)
    assert torch.equal(one.layers[0].weight, PatchGAN(3, 4, 0).layers[0].weight)
    assert float(PatchGAN(3, 64, 0).layers[2].weight.detach().std()) == pytest.approx(0.02, rel=0.02)


def test_a_frozen_module_passes_gradients_on_and_takes_none():
    layer, kept = nn.Linear(2, 1), nn.Linear(2, 1)
    kept.weight.requires_grad_(False)
    x = torch.ones(1, 2, requires_grad=True)
    with frozen(nn.ModuleList([layer, kept])):
        (layer(x) + kept(x)).sum().backward()
    assert x.grad is not None and layer.weight.grad is None
    assert layer.weight.requires_grad and not kept.weight.requires_grad


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("adversarial", ["hinge", "lsgan"])
def test_one_step_for_both_players_is_a_step_of_each(paired, adversarial):
    """Against two optimisers, the discriminator's gradient taken first and both stepping after: the published order."""

    def made() -> tuple[Game, nn.Module, nn.Module]:
        game = Game(settings=settings(adversarial=adversarial), paired=paired)
        torch.manual_seed(0)
        return game, nn.Conv2d(3, 3, 3, padding=1), game.discriminator(0)

    x, real = PICTURES[:3], PICTURES[3:]
    game, generator, discriminator = made()
    both = torch.optim.Adam([*generator.parameters(), *discriminator.parameters()], lr=0.1, betas=(0.5, 0.999))
    for _ in range(2):
        both.zero_grad()
        fake = generator(x)
        sum(game.played(discriminator, x, real, fake, fake).values()).backward()
        both.step()

    _, alone, judge = made()
    players = [torch.optim.Adam(net.parameters(), lr=0.1, betas=(0.5, 0.999)) for net in (alone, judge)]

    def scores(pictures):
        return judge(torch.cat((x, pictures), 1) if paired else pictures)

    for _ in range(2):
        fake = alone(x)
        players[1].zero_grad()
        discriminator_loss(adversarial, scores(real), scores(fake.detach())).backward()
        gradients = [p.grad.clone() for p in judge.parameters()]
        players[0].zero_grad()
        generator_loss(adversarial, scores(fake)).backward()
        for p, gradient in zip(judge.parameters(), gradients, strict=True):
            p.grad = gradient
        for player in players:
            player.step()
    for net, twin in ((generator, alone), (discriminator, judge)):
        for p, q in zip(net.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)


def test_a_discriminator_is_handed_from_game_to_game(tmp_path):
    first = Game(settings=settings(), paired=True, end=tmp_path / "w" / "d.safetensors")
    one = first.discriminator(0)
    first.keep(one)
    second = Game(settings=settings(), paired=True, begin=tmp_path / "w" / "d.safetensors")
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), second.discriminator(5).parameters(), strict=True))
    second.keep(one)
    assert sorted(file.name for file in (tmp_path / "w").iterdir()) == ["d.safetensors", "d.safetensors.json"]


def test_a_pool_gives_what_it_is_given_until_it_is_full_and_then_half_of_it_back():
    pool = Pool(4, 24)
    assert torch.equal(pool.swapped(PICTURES[:4]), PICTURES[:4]) and int(pool.held) == 4
    assert torch.equal(pool.pictures, PICTURES[:4])
    torch.manual_seed(0)
    old = new = 0
    for _ in range(200):
        before = pool.pictures.clone()
        fresh = torch.rand(1, 3, 24, 24)
        out = pool.swapped(fresh)
        if torch.equal(out, fresh):
            new += 1
            assert torch.equal(pool.pictures, before)
        else:
            old += 1
            at = [i for i in range(4) if torch.equal(before[i], out[0])]
            assert len(at) == 1 and torch.equal(pool.pictures[at[0]], fresh[0])
    assert 70 < old < 130 and old + new == 200


def test_a_pool_is_part_of_a_checkpoint_and_of_no_graph():
    pool = Pool(2, 24)
    generated = PICTURES[:3].clone().requires_grad_()
    assert not pool.swapped(generated).requires_grad
    again = Pool(2, 24)
    again.load_state_dict(pool.state_dict())
    assert torch.equal(again.pictures, pool.pictures) and int(again.held) == 2
    assert torch.equal(Pool(0, 24).swapped(PICTURES), PICTURES)
