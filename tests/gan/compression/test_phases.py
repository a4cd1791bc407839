"""How students and teachers learn: losses, slices of adaptors, and what idles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from common.run.checkpoint import save_weights
from common.space import Arch
from common.supernet import Supernet, opened
from common.train.phase import train_phase
from common.train.step import Step
from gan.compression.model import build
from gan.compression.recipes import fast
from gan.compression.space import arch_of, open_space, uniform
from gan.compression.task import CompressionTask
from gan.phases import ThereAndBack
from tests.gan.micro import task_of, tiny

CPU = torch.device("cpu")


def task(folder: Path, *, paired: bool = True, **game) -> CompressionTask:
    """A task whose teacher and its discriminator have been left by an earlier stage."""
    s = tiny()
    if not paired:
        s = fast(replace(s, data=replace(s.data, embedded="textures")))
    s = replace(s, paired=replace(s.paired, **game), unpaired=replace(s.unpaired, **game))
    made = task_of(s, folder / "weights")
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    save_weights(made.teacher_file, build(made.teacher_net, 9))
    for phase in ("teacher", "distil", "supernet"):
        save_weights(made.discriminator_file(phase), made.teacher_phase().game.discriminator(4))
    return made


@pytest.mark.parametrize("paired", [True, False])
def test_a_student_is_pulled_to_its_target_and_its_teachers_maps(tmp_path, paired):
    made = task(tmp_path, paired=paired, recon=7.0, distil=3.0)
    (phase,) = made.phases("standalone")
    network = made.network(made.baseline, 0)
    model = phase.wrap(network, 1)
    x, y = phase.batch_at(0, 0)
    losses = phase.loss(model, (x, y), Step())
    fake, taps = network.with_taps(x)
    picture, theirs = made.teacher(CPU).with_taps(x)
    apart = [F.mse_loss(fit(own), true) for fit, own, true in zip(model.adaptors, taps, theirs, strict=True)]
    torch.testing.assert_close(losses["loss_distil"], 3 * sum(apart))
    torch.testing.assert_close(losses["loss_recon"], 7 * F.l1_loss(fake, y if paired else picture))
    assert losses.keys() == {"loss_gan", "loss_discriminator", "loss_distil", "loss_recon"}
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert all(p.grad is None and not p.requires_grad for p in made.teacher(CPU).parameters())


def test_without_distillation_a_student_on_pairs_needs_no_teacher(tmp_path):
    made = task(tmp_path, distil=0.0)
    made.teacher_file.unlink()
    (phase,) = made.phases("standalone")
    losses = phase.loss(phase.wrap(made.network(made.baseline, 0), 0), phase.batch_at(0, 0), Step())
    assert "loss_distil" not in losses and "loss_recon" in losses


def test_phases_hand_the_discriminator_on(tmp_path):
    made = task(tmp_path)
    distil, supernet = made.phases("supernet")
    (alone,) = made.phases("standalone")
    names = [(phase.game.begin.name, phase.game.end and phase.game.end.name) for phase in (distil, supernet, alone)]
    files = [f"{name}-discriminator.safetensors" for name in ("teacher", "distil", "supernet")]
    assert names == [(files[0], files[1]), (files[1], files[2]), (files[2], None)]
    wrapped = distil.wrap(made.supernet(0), 0)
    first = made.teacher_phase().game.discriminator(4)
    assert all(torch.equal(p, q) for p, q in zip(wrapped.discriminator.parameters(), first.parameters(), strict=True))


def test_a_distilled_start_has_the_teachers_filters_and_a_fast_one_has_not(tmp_path):
    made = task(tmp_path / "full")
    teacher = made.teacher(CPU)
    kept = made.supernet(0).state_dict()["stem.0.weight"]
    norms = [sorted(weight.abs().sum((1, 2, 3)).tolist()) for weight in (kept, teacher.stem[0].weight)]
    assert norms[0] == pytest.approx(norms[1])
    other = task(tmp_path / "fast", paired=False)
    states = [network.state_dict() for network in (other.supernet(0), build(opened(other.space), 0))]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_step_on_a_narrow_student_changes_no_idle_slice_of_it_or_of_the_adaptors(tmp_path):
    made = task(tmp_path)
    phase = made.phases("supernet")[1]
    net = Supernet(made.supernet(0), made.space)
    wide, narrow = (arch_of(made.space, [width] * 8) for width in (12, 4))
    paths: dict[int, list[Arch]] = {0: [wide], 1: [narrow]}
    wrapped: list = []
    kept: dict[str, torch.Tensor] = {}

    class Watched(type(phase)):
        def wrap(self, network, seed):
            wrapped.append(super().wrap(network, seed))
            return wrapped[-1]

        def batch_at(self, step, seed):
            if step == 1:
                kept.update({name: p.detach().clone() for name, p in wrapped[-1].named_parameters()})
            return super().batch_at(step, seed)

    watched = Watched(**{name: getattr(phase, name) for name in type(phase).__dataclass_fields__})
    train_phase(net.module, watched, seed=0, supernet=net, policy=lambda step: paths[step])
    after = dict(wrapped[-1].named_parameters())
    for name, cut in (("adaptors.0.weight", (slice(None), slice(16, None))), ("generator.stem.0.weight", (slice(4, None),))):
        idle, active = cut, tuple(slice(None, part.start) for part in cut)
        assert torch.equal(after[name][idle], kept[name][idle])
        assert not torch.equal(after[name][active], kept[name][active])


def test_a_teacher_without_pairs_goes_there_and_back(tmp_path):
    made = task(tmp_path, paired=False, cycle=10.0, identity=0.5)
    phase = made.teacher_phase()
    network = made.teacher_network(0)
    assert isinstance(network, ThereAndBack)
    model = phase.wrap(network, 0)
    a, b = phase.batch_at(0, 0)
    torch.manual_seed(0)
    losses = phase.loss(model, (a, b), Step())
    there, back = network.there, network.back
    cycle = F.l1_loss(back(there(a)), a) + F.l1_loss(there(back(b)), b)
    torch.testing.assert_close(losses["loss_cycle"], 10 * cycle)
    torch.testing.assert_close(losses["loss_identity"], 5 * (F.l1_loss(there(b), b) + F.l1_loss(back(a), a)))
    assert int(model.pool.held) == int(model.pool_back.held) == 2
    first, second = (next(net.parameters()) for net in (model.discriminator, model.discriminator_back))
    assert not torch.equal(first, second)
    phase.finish(network, model)
    assert made.discriminator_file("teacher").is_file()


def test_the_teacher_is_as_wide_as_asked_and_of_its_pipeline(tmp_path):
    assert task(tmp_path / "full").teacher_net == uniform(12, blocks=3)
    assert task(tmp_path / "fast", paired=False).teacher_net == uniform(12, blocks=3, mobile=False)
    assert open_space("tiny", 3) == task(tmp_path / "full").space
