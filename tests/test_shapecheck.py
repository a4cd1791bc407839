"""The runtime shape checks are on in this test run, and see wrong shapes."""

import importlib
import sys

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation

from tests.shapecheck import Finder, install

SOURCE = '''
from __future__ import annotations
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from torch import nn
if TYPE_CHECKING:
    from collections.abc import Iterator
    from jaxtyping import Float
    from torch import Tensor

def rows(x: Float[Tensor, "n c"], scale: float = 1.0) -> Float[Tensor, "n"]:
    """Sums."""
    return scale * x.sum(1)

def wrong(x: Float[Tensor, "n c"]) -> Float[Tensor, "n"]:
    return x.sum(0)

def plain(x: int) -> int:
    return x

@contextmanager
def kept(x: Float[Tensor, "n"]) -> Iterator[Float[Tensor, "n"]]:
    yield x

@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    a: Float[Tensor, "n"]
    b: Float[Tensor, "n"]

class Both(NamedTuple):
    a: Float[Tensor, "n"]
    b: Float[Tensor, "n"]

class Net(nn.Module):
    def forward(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        return x + 1

    @property
    def bias(self) -> Float[Tensor, "2 2"]:
        return self.weight

    weight = None
'''


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "shapecheck_sample.py").write_text(SOURCE)
    sys.path.insert(0, str(folder))
    finder = install("shapecheck_sample")
    yield importlib.import_module("shapecheck_sample")
    sys.meta_path.remove(finder)
    sys.path.remove(str(folder))
    del sys.modules["shapecheck_sample"]


def test_right_shapes_pass(module):
    assert module.rows(torch.ones(2, 3), 2).tolist() == [6.0, 6.0]  # an int is a float
    assert module.rows.__doc__ == "Sums."
    assert module.Net()(torch.zeros(1, 3)).sum() == 3
    assert module.Pair(a=torch.ones(2), b=torch.ones(2)).a.sum() == 2
    assert module.Both(torch.ones(2), torch.ones(2)).a.sum() == 2
    with module.kept(torch.ones(2)) as kept:
        assert kept.sum() == 2


def test_wrong_shapes_are_refused(module):
    with pytest.raises(BeartypeCallHintViolation):
        module.rows(torch.ones(3))
    with pytest.raises(BeartypeCallHintViolation):
        module.wrong(torch.ones(2, 3))
    with pytest.raises(BeartypeCallHintViolation):
        module.Net()(torch.zeros(1, 4))
    with pytest.raises(BeartypeCallHintViolation):
        module.Pair(a=torch.ones(2), b=torch.ones(3))
    with pytest.raises(BeartypeCallHintViolation):
        module.Both(torch.ones(2), torch.ones(3))
    with pytest.raises(BeartypeCallHintViolation):
        _ = module.Net().bias


def test_functions_without_shapes_are_left_alone(module):
    assert not hasattr(module.plain, "__wrapped__")


def test_networks_can_be_exported(module):
    exported = torch.export.export(module.Net(), (torch.zeros(2, 3),))
    assert exported.module()(torch.zeros(2, 3)).sum() == 6


def test_the_checks_are_on_for_every_package():
    (finder,) = (f for f in sys.meta_path if isinstance(f, Finder) and "common" in f.packages)
    assert {"common", "detection"} <= set(finder.packages)
    assert type(importlib.import_module("common.streams").__loader__).__name__ == "_Loader"


def test_packages_imported_too_early_are_reported():
    with pytest.raises(RuntimeError, match="imported before"):
        install("common")
