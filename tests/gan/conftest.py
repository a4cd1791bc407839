"""One micro run of each kind, made once for the tests that look at it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from common.cost.latency import measure
from gan.compression import stages
from gan.task import TranslationTask
from tests.gan.micro import UNPAIRED, call, words


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A run on pairs, by the full pipeline, that was never disturbed."""
    path = tmp_path_factory.mktemp("gan") / "paired"
    call(words(path))
    return path


@pytest.fixture(scope="session")
def unpaired(tmp_path_factory) -> Path:
    """A run without pairs, by the fast pipeline, that was never disturbed; without ONNX files."""
    path = tmp_path_factory.mktemp("gan") / "unpaired"
    with pytest.MonkeyPatch.context() as patched:
        without_export(patched)
        call(words(path, settings=UNPAIRED))
    return path


@pytest.fixture
def no_export(monkeypatch) -> None:
    """See `without_export`."""
    without_export(monkeypatch)


def without_export(patched: pytest.MonkeyPatch) -> None:
    """No ONNX files: they take two thirds of a run, and `finished` has them."""
    timed = measure(nn.Identity(), (torch.zeros(1),), repeats=2)
    patched.setattr(TranslationTask, "export", lambda self, network, folder: 0.0)
    patched.setattr(stages, "export_onnx", lambda network, inputs, file: None)
    patched.setattr(stages, "measure_onnx", lambda file, inputs, repeats: timed)
