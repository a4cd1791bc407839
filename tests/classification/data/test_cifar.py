import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from classification.data import classification_folder
from common.errors import UserError
from tests.classification.data.makers import (
    CIFAR10,
    NAMES10,
    cifar10_bins,
    cifar10_pickles,
    cifar100_pickles,
    python2_pickle,
    records,
)


@pytest.mark.parametrize("how", ["python2", 2, 3, 4, 5])
def test_cifar10_pickles(tmp_path, how):
    data = classification_folder(cifar10_pickles(tmp_path / "cifar-10-batches-py", how))
    assert data.classes == tuple(NAMES10)
    assert {split.name: len(split) for split in (data.train, data.val, data.test)} == {"train": 80, "val": 20, "test": 20}
    pixels = np.concatenate([records(20, seed=i)[0] for i in range(5)]).reshape(-1, 3, 32, 32)
    for split in (data.train, data.val):
        assert np.array_equal(split.images(torch.arange(len(split))), pixels[split.rows])
        assert torch.equal(split.labels, split.rows % 10)
    assert np.array_equal(data.test.images(torch.arange(20)), records(20, seed=5)[0].reshape(-1, 3, 32, 32))
    assert any("train has 100 images, cifar-10-batches-py as distributed 50,000" in note for note in data.notes)
    assert any("there is no val split: 20 of the 100 training images serve as val" in note for note in data.notes)


def test_binary_records_are_the_same_data(tmp_path):
    binary = classification_folder(cifar10_bins(tmp_path / "bins"))
    pickled = classification_folder(cifar10_pickles(tmp_path / "pickles"))
    assert binary.classes == pickled.classes
    for one, other in ((binary.train, pickled.train), (binary.val, pickled.val), (binary.test, pickled.test)):
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.images(torch.arange(len(one))), other.images(torch.arange(len(other))))


def test_cifar100_has_fine_labels(tmp_path):
    cifar100_pickles(tmp_path / "cifar-100-python")
    data = classification_folder(tmp_path)  # the folder around it will do
    assert data.name == str(tmp_path / "cifar-100-python")
    assert data.classes == ("fine0", "fine1", "fine2", "fine3")
    assert data.test.labels.tolist() == [0, 1, 2, 3] * 2


def test_cifar100_in_binary_records(tmp_path):
    for i, (name, count) in enumerate((("train.bin", 12), ("test.bin", 4))):
        pixels, labels = records(count, 4, seed=i)
        head = np.array([[label // 2, label] for label in labels], np.uint8)
        np.concatenate([head, pixels], axis=1).tofile(tmp_path / name)
    (tmp_path / "fine_label_names.txt").write_text("a\nb\nc\nd\n")
    data = classification_folder(tmp_path)
    assert data.test.labels.tolist() == [0, 1, 2, 3]
    assert np.array_equal(data.test.images(torch.arange(4)).flatten(1), records(4, 4, seed=1)[0])


def test_other_sizes_are_scaled(tmp_path):
    folder = cifar10_pickles(tmp_path / "x")
    small, full = classification_folder(folder, size=16).test, classification_folder(folder).test
    assert small.images(torch.arange(20)).shape == (20, 3, 16, 16)
    means = [split.images(torch.arange(20)).float().mean((2, 3)) for split in (small, full)]
    assert (means[0] - means[1]).abs().max() < 2


class _Evil:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize("file", ["data_batch_1", "batches.meta"])
def test_a_pickle_runs_no_code(tmp_path, file):
    folder = cifar10_pickles(tmp_path / "x")
    (folder / file).write_bytes(pickle.dumps({b"data": _Evil(tmp_path / "touched"), b"labels": []}))
    with pytest.raises(UserError, match=rf"{file} wants to load .*do not trust it"):
        classification_folder(folder)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "stream",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"c_codecs\ndecode\n(S'x'\ntR.",
        b"c_codecs\nencode\n(VAA\nVzlib\ntR.",
        b"cnumpy\ndtype\n(S'O'\ntR.",
        pickle.dumps({b"data": np.array([{}, []], dtype=object)}, protocol=2),
    ],
)
def test_only_arrays_of_numbers_are_rebuilt(tmp_path, stream):
    folder = cifar10_pickles(tmp_path / "x")
    (folder / "test_batch").write_bytes(stream)
    with pytest.raises(UserError, match=r"test_batch wants to load"):
        classification_folder(folder)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_cut_pickles_are_refused(tmp_path, share):
    folder = cifar10_pickles(tmp_path / "x")
    whole = (folder / "data_batch_3").read_bytes()
    (folder / "data_batch_3").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"data_batch_3 is cut off or damaged \(\w+\): unpack the archive again") as raised:
        classification_folder(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("cut", [1, 3072, 20 * 3073])
def test_cut_records_are_refused(tmp_path, cut):
    folder = cifar10_bins(tmp_path / "x")
    whole = (folder / "data_batch_2.bin").read_bytes()
    (folder / "data_batch_2.bin").write_bytes(whole[:-cut])
    with pytest.raises(UserError, match=r"data_batch_2\.bin has .* bytes, not a multiple of a record's 3,073: it is cut off"):
        classification_folder(folder)


@pytest.mark.parametrize("name", [*CIFAR10, "test_batch", "batches.meta"])
@pytest.mark.parametrize(("make", "suffix"), [(cifar10_pickles, ""), (cifar10_bins, ".bin")])
def test_missing_files_are_named(tmp_path, make, suffix, name):
    folder = make(tmp_path / "x")
    file = name + (suffix if "meta" not in name else ".txt" if suffix else "")
    (folder / file).unlink()
    with pytest.raises(UserError, match=rf"{file} is missing: .* unpack the archive again"):
        classification_folder(folder)


def test_labels_outside_the_classes_are_named(tmp_path):
    folder = cifar10_bins(tmp_path / "bins")
    data = bytearray((folder / "data_batch_5.bin").read_bytes())
    data[3 * 3073] = 10
    (folder / "data_batch_5.bin").write_bytes(data)
    with pytest.raises(UserError, match=r"data_batch_5\.bin: record 3 has label 10, .* 10 classes \(labels 0 to 9\)"):
        classification_folder(folder)
    folder = cifar10_pickles(tmp_path / "pickles")
    for label in (-1, 10, 1 << 80):
        (folder / "test_batch").write_bytes(python2_pickle({b"data": records(2)[0], b"labels": [0, label]}))
        with pytest.raises(UserError, match=r"test_batch: record 1 has label"):
            classification_folder(folder)


@pytest.mark.parametrize(
    ("batch", "rule"),
    [
        ([], "holds a list, not a dict"),
        ({b"labels": [0]}, "'data' is no uint8 array of shape"),
        ({b"data": np.zeros((1, 3071), np.uint8), b"labels": [0]}, "'data' is no uint8 array of shape"),
        ({b"data": np.zeros((1, 3072)), b"labels": [0]}, "'data' is no uint8 array of shape"),
        ({b"data": np.zeros((1, 3072), np.uint8)}, "no list 'labels' of whole numbers"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [0.5]}, "no list 'labels' of whole numbers"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [0, 1]}, "has 1 images and 2 labels"),
    ],
)
def test_other_contents_are_refused(tmp_path, batch, rule):
    folder = cifar10_pickles(tmp_path / "x")
    (folder / "test_batch").write_bytes(python2_pickle(batch))
    with pytest.raises(UserError, match=rf"test_batch.*{rule}"):
        classification_folder(folder)


def test_meta_without_names_is_refused(tmp_path):
    folder = cifar10_pickles(tmp_path / "x")
    (folder / "batches.meta").write_bytes(python2_pickle({b"num_vis": 3072}))
    with pytest.raises(UserError, match=r"batches\.meta has no list 'label_names' of class names"):
        classification_folder(folder)


def test_a_class_without_training_images_is_refused(tmp_path):
    folder = cifar10_pickles(tmp_path / "x", per_file=9)
    with pytest.raises(UserError, match=r"no image in train for 'truck'"):
        classification_folder(folder)
