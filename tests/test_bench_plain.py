"""The plain form that a search step is measured against is the same network: parameters, and scores at equal weights."""

import pytest
import torch

from classification.cells.space import darts_space
from classification.darts.model import build
from common.relax.relaxation import Relaxation
from common.relax.weightings import Softmax
from common.supernet import Supernet, opened
from tests.bench.plain_search import Plain


@pytest.mark.parametrize("partial", [1, 2])
def test_the_plain_network_is_ours(partial):
    space = darts_space(nodes=2, width=8, cells=3, partial=partial)
    supernet = Supernet(build(opened(space)), space)
    members = Softmax() if partial > 1 else None
    relaxation = Relaxation(supernet=supernet, options=Softmax(), members=members, std=0.0)
    plain = Plain(space, 2)
    mine, theirs = supernet.module.state_dict(), plain.state_dict()
    assert [tuple(t.shape) for t in mine.values()] == [tuple(t.shape) for t in theirs.values()]
    plain.load_state_dict(dict(zip(theirs, mine.values(), strict=True)))
    with torch.no_grad():
        for values in plain.arch():
            values.zero_()
    relaxation.mix(0, 0.0)
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(supernet.module(x), plain(x), rtol=1e-4, atol=1e-4)
