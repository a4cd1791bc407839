"""Random streams are functions of seed and names, in every process and version."""

import subprocess
import sys

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.streams import derive, numpy_stream, seed_layers, stream, torch_stream

KNOWN = (7873468728604060761, 6236388483089640974)
NAMES = st.lists(st.one_of(st.integers(-5, 5), st.text("ab1-", max_size=3)), max_size=3).map(tuple)


def test_the_derivation_is_the_one_that_published_numbers_were_made_with():
    assert derive(0, "paths", 1) == KNOWN[0]
    assert derive(7, "retrain", "random 1") == KNOWN[1]


def test_streams_are_the_same_in_another_process():
    code = "from common.streams import *; print(derive(3, 'a', 4), stream(3, 'a').random(), numpy_stream(3, 'a').integers(2**40))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert told == [str(derive(3, "a", 4)), str(stream(3, "a").random()), str(numpy_stream(3, "a").integers(2**40))]


@settings(derandomize=True, max_examples=200, deadline=None, database=None)
@given(st.tuples(st.integers(0, 3), NAMES), st.tuples(st.integers(0, 3), NAMES))
def test_keys_are_equal_for_equal_names_only(a, b):
    assert (derive(a[0], *a[1]) == derive(b[0], *b[1])) == (a == b)
    assert 0 <= derive(a[0], *a[1]) < 2**63


def test_a_number_and_its_text_name_two_streams():
    assert derive(0, 1) != derive(0, "1")
    assert derive(0, "a", "b") != derive(0, "ab") != derive(0, "b", "a")


def test_streams_of_neighbouring_steps_are_independent():
    rows = np.array([numpy_stream(0, "paths", step).random(400) for step in range(20)])
    off = np.corrcoef(rows)[~np.eye(20, dtype=bool)]
    assert abs(off).max() < 0.25  # five standard deviations
    first = np.array([stream(0, "paths", step).random() for step in range(4000)])
    counts, _ = np.histogram(first, bins=10, range=(0, 1))
    assert abs(counts - 400).max() < 100  # five standard deviations
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.08


def test_no_global_generator_is_touched():
    torch.manual_seed(0)
    before = torch.default_generator.get_state()
    a = torch.rand(5, generator=torch_stream(1, "weights"))
    assert torch.equal(a, torch.rand(5, generator=torch_stream(1, "weights")))
    assert not torch.equal(a, torch.rand(5, generator=torch_stream(2, "weights")))
    assert torch.equal(torch.default_generator.get_state(), before)


def test_layers_draw_after_seeding_as_after_torchs_own():
    torch.manual_seed(7)
    expected = torch.rand(5)
    torch.manual_seed(8)
    seed_layers(7, torch.device("cpu"))
    assert torch.equal(torch.rand(5), expected)
