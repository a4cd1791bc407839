"""The runtime shape checks are on in this test run, and see wrong shapes."""

import importlib
import sys

import pytest
import torch
from jaxtyping import TypeCheckError, install_import_hook

SOURCE = """
from __future__ import annotations
from jaxtyping import Float
from torch import Tensor

def rows(x: Float[Tensor, "n c"], scale: float = 1.0) -> Float[Tensor, "n"]:
    return scale * x.sum(1)

def wrong(x: Float[Tensor, "n c"]) -> Float[Tensor, "n"]:
    return x.sum(0)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "shapecheck_sample.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    with install_import_hook("shapecheck_sample", "shapecheck.checked"):
        yield importlib.import_module("shapecheck_sample")
    del sys.modules["shapecheck_sample"]


def test_right_shapes_pass_and_an_int_is_a_float(module):
    assert module.rows(torch.ones(2, 3), 2).tolist() == [6.0, 6.0]


def test_wrong_shapes_are_refused(module):
    with pytest.raises(TypeCheckError):
        module.rows(torch.ones(3))
    with pytest.raises(TypeCheckError):
        module.wrong(torch.ones(2, 3))


def test_the_hook_is_on_for_the_core():
    from common.streams import derive

    with pytest.raises(TypeCheckError):
        derive("not a number", "name")  # pyright: ignore[reportArgumentType]
