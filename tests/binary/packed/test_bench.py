"""The measurement of packed convolutions: what its rows say."""

from __future__ import annotations

import pytest

from tests.bench import packed
from tests.bench.packed import operations_per_second, packed_times


@pytest.mark.parametrize(("best", "target"), [("avx512_bitalg", 8), ("avx2", None)])
def test_rows_promise_on_processors_with_avx512_alone(best, target, monkeypatch):
    monkeypatch.setattr(packed, "instructions", lambda: best)
    faster, taken = packed_times("numba", 6, 2, 1e9, channels=16, calls=1)
    assert faster.target == target and faster.least and f"this one has {best}" in faster.note
    assert taken.bound == pytest.approx(6 * 6 * 16 * 16 * 9 / 1e9 * 1e3) and taken.target is None
    assert len(faster.values) == len(taken.values) == 2


def test_the_limit_is_measured():
    first, second = operations_per_second(2, rounds=200)
    assert first > 0 and second > 0
