"""Settings of evaluations: their defaults, their bounds, and what is asked of them."""

import pytest

from common.errors import UserError
from common.evaluate.settings import (
    InheritedSettings,
    PredictorSettings,
    ProxySettings,
    ScratchSettings,
    TableSettings,
    needs_supernet,
    shares_of,
)

KINDS = (InheritedSettings, ScratchSettings, ProxySettings, PredictorSettings, TableSettings)


def test_defaults():
    assert InheritedSettings() == InheritedSettings(calibration_batches=0, calibration_batch=8, images=None)
    assert ScratchSettings() == ScratchSettings(fidelity=1.0, cuts=1)
    assert ProxySettings() == ProxySettings(overrides=(), fidelity=1.0, cuts=1)
    assert PredictorSettings() == PredictorSettings(base=ScratchSettings(), fitted=20, verified=5, hidden=(128, 128), members=4)
    assert [kind().name for kind in KINDS] == ["inherited", "scratch", "proxy", "predictor", "table"]


@pytest.mark.parametrize(
    ("kind", "name", "least"),
    [
        (InheritedSettings, "calibration_batches", 0),
        (InheritedSettings, "calibration_batch", 1),
        (InheritedSettings, "images", 1),
        (ScratchSettings, "cuts", 1),
        (ProxySettings, "cuts", 1),
        (PredictorSettings, "fitted", 2),
        (PredictorSettings, "verified", 1),
        (PredictorSettings, "members", 1),
    ],
)
def test_counts_have_a_least(kind, name, least):
    assert getattr(kind(**{name: least}), name) == least
    with pytest.raises(UserError, match=rf"search\.evaluation\.{name}={least - 1}: give {least} or more"):
        kind(**{name: least - 1})


@pytest.mark.parametrize("kind", [ScratchSettings, ProxySettings])
def test_a_share_of_the_steps_is_above_0_and_at_most_1(kind):
    assert [kind(fidelity=share).fidelity for share in (0.01, 1.0)] == [0.01, 1.0]
    for share in (0.0, -0.5, 1.01):
        with pytest.raises(UserError, match=rf"search\.evaluation\.fidelity={share}: give a share"):
            kind(fidelity=share)


def test_hidden_layers_have_units_and_there_may_be_none():
    assert [PredictorSettings(hidden=hidden).hidden for hidden in ((), (1,), (3, 1))] == [(), (1,), (3, 1)]
    with pytest.raises(UserError, match=r"search\.evaluation\.hidden=\[3, 0\]: give widths of 1 or more"):
        PredictorSettings(hidden=(3, 0))


def test_what_takes_shares_and_what_needs_a_supernet():
    assert [shares_of(kind()) for kind in KINDS] == [False, True, True, False, False]
    assert [needs_supernet(kind()) for kind in KINDS] == [True, False, False, False, False]
    assert needs_supernet(PredictorSettings(base=InheritedSettings()))
