"""What the cache of decoded pictures keeps and forgets."""

import pickle

import numpy as np

from common.data.cache import Cache


def test_the_cache_forgets_what_was_not_used_for_longest():
    made = []

    def get(key: str) -> int:
        def make() -> np.ndarray:
            made.append(key)
            return np.full(100, ord(key), dtype=np.uint8)

        return int(cache.get(key, make)[0])

    cache = Cache(limit=250)
    assert [get(key) for key in "abab"] == [ord(key) for key in "abab"]
    assert made == ["a", "b"]
    get("a")
    get("c")  # b goes: a was used since
    assert cache.bytes == 200
    get("a")
    assert made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"]
    assert cache.bytes == 200
    assert Cache(limit=10).get("a", lambda: np.zeros(100, dtype=np.uint8)).nbytes == 100


def test_a_copy_in_another_process_is_empty():
    cache = Cache(limit=250)
    cache.get("a", lambda: np.zeros(100, dtype=np.uint8))
    again = pickle.loads(pickle.dumps(cache))
    assert (cache.bytes, again.bytes, again.limit) == (100, 0, 250)
