"""Pickles of users: no code, no memory beyond the file's, no depth that ends the process."""

import pickle
import time
import tracemalloc

import numpy as np
import pytest

from common.data.pickles import DamagedPickle, ForbiddenPickle, read_pickle


def read(path, data):
    (path / "p").write_bytes(data)
    return read_pickle(path / "p", "bytes")


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_and_plain_containers_are_read(tmp_path, protocol):
    value = {"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [1, 2**70], "names": ["a", ("b", 1.5, None)]}
    found = read(tmp_path, pickle.dumps(value, protocol))
    assert isinstance(found, dict) and np.array_equal(found.pop("data"), value.pop("data")) and found == value


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"\x80\x04Nr\xff\xff\xff\x3f.", DamagedPickle, "memo index 1,073,741,823 in a file of 9 bytes"),
        (b"Np999999999\n.", DamagedPickle, "memo index 999,999,999 in a file of 13 bytes"),
        (b"cos\nsystem\n(S'true'\ntR.", ForbiddenPickle, "os.system"),
        (b"cbuiltins\neval\n(S'1'\ntR.", ForbiddenPickle, "builtins.eval"),
        (b"cnumpy\ndtype\n(S'O'\ntR.", ForbiddenPickle, "an array of object"),
        (b"cnumpy\nndarray\n(J\xff\xff\xff\x7ftR.", DamagedPickle, "TypeError"),
        (b"\x80\x02})" + b"\x85" * 1_000_000 + b"Ns.", DamagedPickle, "more than 10,000 tuples"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", DamagedPickle, "ValueError"),
        (b"", DamagedPickle, "ValueError"),
    ],
    ids=range(9),
)
def test_what_asks_for_more_is_refused_at_once(tmp_path, data, error, said):
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(error, match=said):
        read(tmp_path, data)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100 << 20 and time.perf_counter() - start < 20


def test_an_array_has_the_shape_of_its_bytes_and_no_other(tmp_path):
    """Files say shape (0,) where an array is begun; memory for another shape is never taken."""
    whole = pickle.dumps(np.zeros(3), 2)
    begin = whole.index(b"K\x00\x85")
    found = read(tmp_path, whole[:begin] + b"J\xff\xff\xff\x7f\x85" + whole[begin + 3 :])
    assert isinstance(found, np.ndarray) and found.tolist() == [0, 0, 0]
    end = whole.index(b"R", whole.index(b"encode"))  # of b"b", then of the array
    end = whole.index(b"R", end + 1)
    found = read(tmp_path, whole[:begin] + b"J\xff\xff\xff\x7f\x85" + whole[begin + 3 : end + 1] + b".")
    assert isinstance(found, np.ndarray) and found.shape == (0,)
