import numpy as np
import pytest
import torch

from classification.data import embedded, halves
from common.data.digits import digits
from common.errors import UserError


@pytest.mark.parametrize(("size", "factor", "border"), [(8, 1, 0), (12, 1, 2), (16, 2, 0), (28, 3, 2), (32, 4, 0)])
def test_every_digit_is_there_in_whole_pixels(size, factor, border):
    data = embedded(size)
    for name, split in (("train", data.train), ("val", data.val), ("test", data.test)):
        images = split.images(torch.arange(len(split)))
        assert images.shape[1:] == (3, size, size)
        assert torch.equal(images[:, 0], images[:, 1])
        assert torch.equal(images[:, 0], images[:, 2])
        inner = images[:, 0, border : size - border, border : size - border]
        assert inner.sum() == images[:, 0].sum()
        assert np.array_equal(inner[:, ::factor, ::factor], np.rint(digits(name).images * 255))
        assert torch.equal(inner[:, ::factor].repeat_interleave(factor, 1), inner)
        assert split.labels.tolist() == digits(name).labels.tolist()


def test_what_the_report_says():
    facts = embedded().describe()
    assert facts["images"] == {"train": 1078, "val": 360, "test": 359}
    assert facts["image_size"] == 16
    assert facts["classes"][3] == "three"
    assert not facts["mirrored"]
    assert "1,797 real handwritten digits" in facts["notes"][0]


def test_halves_of_the_digits():
    weights, architecture = halves(embedded().train, 0)
    assert (len(weights), len(architecture)) == (539, 539)
    assert (weights.labels.bincount() - architecture.labels.bincount()).abs().max() <= 1


@pytest.mark.parametrize("size", [4, 18, -16])
def test_other_sizes_are_refused(size):
    with pytest.raises(UserError, match=rf"^size={size}: .*multiple of 4"):
        embedded(size)
