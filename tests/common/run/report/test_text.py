"""Numbers as people read them, at the edges where they change their form."""

import math

import pytest

from common.run.report.figures import Difference, Spread
from common.run.report.text import DASH, column, count, duration, flat, mean_sd, number, quantity, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9999.0, "9999"),
        (10_000.0, "10 k"),
        (999_940.0, "999.9 k"),
        (1e6, "1 M"),
        (-2.5e6, "-2.5 M"),
        (1.2345678e9, "1.235 G"),
        (3e12, "3 T"),
        (0.000012345, "1.234e-05"),
        (-0.5, "-0.5"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
        (None, DASH),
        (9999.6, "10 k"),
        (999_960.0, "1 M"),
        (9999.4, "9999"),
    ],
)
def test_number(value, text):
    assert number(value) == text


def test_a_column_has_the_decimals_of_its_finest_value():
    assert column([0.5, 0.25, 3.0]) == ["0.50", "0.25", "3.00"] and column([1.0, None, 2.0]) == ["1", DASH, "2"]
    assert column([20_000.0, 0.25]) == ["20 k", "0.25"] and column([1e-7, 1.0]) == ["1e-07", "1"], "forms that do not line up"
    assert column([]) == []


def test_quantity():
    assert [quantity(2.5e6, "MACs"), quantity(0.5, ""), quantity(None, "MACs")] == ["2.5 M MACs", "0.5", DASH]


@pytest.mark.parametrize(
    ("mean", "sd", "text"),
    [
        (0.86123, 0.0123, "0.861 ± 0.012"),
        (12.345, 1.234, "12.3 ± 1.2"),
        (123.4, 45.6, "123 ± 46"),
        (0.5, 0.0, "0.5 ± 0"),
        (2_345_678.0, 12_345.0, "2.346 M ± 0.012 M"),
        (5.0, 20_000.0, "0.005 k ± 20 k"),
        (0.8765, None, "0.8765"),
    ],
)
def test_mean_and_spread(mean, sd, text):
    assert mean_sd(Spread(n=3, mean=mean, sd=sd)) == text


def test_a_difference_is_without_its_sign():
    assert signed(Difference(value=-0.04, half_width=None)) == "0.04"
    assert signed(Difference(value=-0.4, half_width=0.023)) == "0.400 ± 0.023"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (3600.0, "1 h 00 min"),
        (36_060.0, "10 h 01 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_count():
    assert [count(1, "seed"), count(0, "seed"), count(2, "entry", "entries"), count(1, "entry", "entries")] == [
        "1 seed", "0 seeds", "2 entries", "1 entry",
    ]  # fmt: skip


def test_flat_settings():
    settings = {
        "space": "tiny",
        "search": {"trials": 40, "rates": [0.1, [1, None]], "inner": {"on": True}},
        "none": {},
        "off": False,
    }
    assert flat(settings) == [
        ("space", "tiny"),
        ("search.trials", "40"),
        ("search.rates", f"0.1, 1, {DASH}"),
        ("search.inner.on", "yes"),
        ("none", "{}"),
        ("off", "no"),
    ]
    assert flat({"a": {1: 1 / 3}}) == [("a.1", "0.333333")]
