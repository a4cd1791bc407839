import numpy as np

from common.data.digits import SPLITS, digits


def test_splits_are_disjoint_and_together_are_all_1797_digits():
    parts = [digits(split).indices for split in SPLITS]
    together = np.concatenate(parts)
    assert len(together) == len(set(together.tolist())) == 1797


def test_splits_hold_60_20_20_percent_of_every_class():
    counts = np.array([np.bincount(digits(split).labels, minlength=10) for split in SPLITS])
    shares = counts / counts.sum(axis=0)
    np.testing.assert_allclose(shares, np.tile([[0.6], [0.2], [0.2]], 10), atol=0.01)


def test_images_belong_to_their_labels():
    from sklearn.datasets import load_digits

    table, part = load_digits(), digits("val")
    np.testing.assert_array_equal(part.images * 16, table["images"][part.indices])
    np.testing.assert_array_equal(part.labels, table["target"][part.indices])
