"""Checkpoints of mmengine's Runner under torch's `weights_only`: what they hold is loaded, anything else is refused."""

import inspect
import pickle

import numpy as np
import pytest
import torch

pytest.importorskip("mmengine")

from common import mm
from common.errors import UserError
from common.foreign_weights import read_state

ALLOWED = (
    np.float32(1.5),
    np.arange(3),
    np.array([True, False]),
    np.zeros((2, 2), np.uint8),
)


@pytest.fixture(autouse=True, scope="module")
def imported():
    mm.import_packages((), "detection")


class Reduces:
    """Pickled as the call of a function."""

    def __init__(self, function, *values):
        self.call = function, values

    def __reduce__(self):
        return self.call


def buffer():
    from mmengine.logging import HistoryBuffer

    made = HistoryBuffer()
    made.update(1.5, 2)
    made.update(2.5)
    return made


def test_logged_values_and_numbers_of_numpy_are_loaded(tmp_path):
    torch.save({"loss": buffer(), "numbers": ALLOWED, "state_dict": {"a": torch.ones(2)}}, tmp_path / "epoch.pth")
    assert inspect.signature(torch.load).parameters["weights_only"].default is not False
    found = torch.load(tmp_path / "epoch.pth")
    values, counts = found["loss"].data
    assert values.tolist() == [1.5, 2.5] and counts.tolist() == [2, 1]
    assert found["loss"].statistics("mean") == pytest.approx(4 / 3) and found["loss"].statistics("max") == 2.5
    for value, wanted in zip(found["numbers"], ALLOWED, strict=True):
        assert np.array_equal(value, wanted) and value.dtype == wanted.dtype


def test_the_allow_list_is_what_makes_them_load(tmp_path):
    torch.save({"loss": buffer()}, tmp_path / "epoch.pth")
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
            torch.load(tmp_path / "epoch.pth")
        mm.import_packages((), "detection")
        torch.load(tmp_path / "epoch.pth")
    finally:
        torch.serialization.add_safe_globals(allowed)


def test_names_of_numpy_1_are_loaded(tmp_path):
    torch.save({"numbers": ALLOWED[:2]}, tmp_path / "new.pth", _use_new_zipfile_serialization=False)
    old = (tmp_path / "new.pth").read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy.core" in old
    (tmp_path / "old.pth").write_bytes(old)
    assert torch.load(tmp_path / "old.pth")["numbers"][1].tolist() == [0, 1, 2]


def test_other_attributes_and_functions_are_refused(tmp_path):
    from mmengine.logging import HistoryBuffer

    marker = tmp_path / "marker"
    calls = [
        Reduces(getattr, HistoryBuffer, "__init__"),
        Reduces(getattr, HistoryBuffer, "register_statistics"),
        Reduces(getattr, np.ndarray, "max"),
        Reduces(open, str(marker), "w"),
        Reduces(exec, f"open({str(marker)!r}, 'w')"),
        np.array([object()]),
    ]
    for i, call in enumerate(calls):
        torch.save({"state_dict": {}, "meta": call}, tmp_path / "epoch.pth")
        with pytest.raises(pickle.UnpicklingError):
            torch.load(tmp_path / "epoch.pth")
        with pytest.raises(UserError, match=r"epoch.pth: holds no weights that can be read \(UnpicklingError\); give another"):
            read_state(tmp_path / "epoch.pth", "give another")
        assert not marker.exists(), i
