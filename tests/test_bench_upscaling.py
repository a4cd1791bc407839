"""The measurement of upscaling: which convolutions are timed, and what its rows say."""

from __future__ import annotations

import torch
from torch import nn

from tests.bench import upscaling
from tests.bench.upscaling import convolutions_of, upscaling_times
from tests.superres.standin import Small


def test_every_convolution_is_called_on_inputs_of_its_size():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU(), nn.ConvTranspose2d(4, 3, 2, 2), nn.Conv2d(3, 3, 1))
    run = convolutions_of(network, torch.zeros(1, 3, 6, 5))
    seen: list[tuple[str, tuple[int, ...]]] = []
    for module in network:
        module.register_forward_hook(lambda module, given, made: seen.append((type(module).__name__, tuple(made.shape))))
    run()
    assert seen == [("Conv2d", (1, 4, 6, 5)), ("ConvTranspose2d", (1, 3, 12, 10)), ("Conv2d", (1, 3, 12, 10))]


def test_rows_hold_the_promise_and_what_limits_it(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr(upscaling, "keep_memory", lambda: None)
    monkeypatch.setattr(upscaling, "compiled", lambda network: network)
    plain, compiled = upscaling_times("toy", Small().eval(), 2, 2, side=80, tile=48)
    assert plain.what == "toy, x2 of 80x80 pixels / the network's convolutions alone, as it is" and plain.target is None
    assert compiled.what.endswith("alone, compiled") and compiled.target == 1.2
    assert len(plain.values) == len(compiled.values) == 2 and all(value > 0 for value in (*plain.values, *compiled.values))
    assert "2x2 tiles of at most 48 pixels" in compiled.note and torch.get_num_threads() == threads
