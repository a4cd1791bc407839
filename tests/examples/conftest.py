"""What the tests of examples share."""

import pytest

from common.export import Parity
from common.own.facts import OwnFacts


@pytest.fixture(scope="module")
def unexported():
    """Runs leave the ONNX file out, which takes longer than all else; tests of own networks write it."""
    with pytest.MonkeyPatch.context() as patch:
        parity = Parity(max_abs_diff=0.0, scale=1.0, dynamic_batch=True)
        patch.setattr(OwnFacts, "export", lambda self, network, folder: parity)
        yield
