"""A classifier as ONNX: normalisation is inside, any batch, the same numbers."""

import re

import numpy as np
import onnxruntime
import torch

from classification.export import Scaled, export
from tests.classification.micro import made, tiny


def test_pixels_in_probabilities_out(tmp_path):
    task = made(tiny())
    network = task.network(task.baseline, 0).train()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d) and part.running_mean is not None:
            part.running_mean.fill_(0.1)
    parity = export(network, 8, task.data.scale, task.data.classes, tmp_path)
    assert parity.max_abs_diff < 1e-5 and parity.dynamic_batch
    assert network.training  # left as it was
    network.eval()
    images = task.data.test.images(torch.arange(3))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {"input0": images.numpy()})
    with torch.no_grad():
        expected = network(task.data.scale(images)).softmax(1)
        assert torch.allclose(Scaled(network, task.data.scale)(images), expected, atol=1e-6)
    assert np.allclose(given, expected.numpy(), atol=1e-5) and np.allclose(given.sum(1), 1)
    script = (tmp_path / "use.py").read_text()
    assert "SIZE = 8" in script and "'seven'" in script and not re.search("@[A-Z]+@", script)
