"""The bench's page says what was measured, and a miss is called one."""

import subprocess
import sys

import pytest
import torch

from classification.darts.recipes import RECIPES
from common.errors import UserError
from detection.detnas.space import backbone
from tests.bench.measures import ROOT, activation, help_text, paths, summary
from tests.bench.out import check_out
from tests.bench.rows import Row, page
from tests.bench.search_step import PASSES, plain_search_steps, search_steps

ENVIRONMENT = {
    "machine": {"cpu": "Example", "cores": 2, "memory_gib": 8, "system": "Linux", "torch_threads": 1},
    "versions": {"python": "3.11", "torch": "2.14"},
}
RATIO = Row(what="ratio", unit="", target=1.03, values=[1.05, 1.01, 1.02, 1.08, 1.06])
RATE = Row(what="rate", unit="1/s", target=100_000, values=[150_000, 250_000], least=True, note="how")
TIME = Row(what="time", unit="ms", target=1.0, values=[1.5])


@pytest.mark.parametrize(
    ("row", "measured", "passed", "distance"),
    [
        (RATIO, 1.05, False, "2.0 points above the limit"),
        (RATE, 200_000, True, "2.0 times better than asked"),
        (TIME, 1.5, False, "1.50 times worse than asked"),
    ],
)
def test_a_median_is_held_against_its_target(row, measured, passed, distance):
    assert (row.measured, row.passed, row.distance) == (measured, passed, distance)


def test_the_page_names_machine_command_and_misses():
    text = page([RATIO, RATE], ENVIRONMENT, "2026-01-02", "make bench")
    assert "2026-01-02 by `make bench` on Example (2 cores, 8 GiB)" in text
    assert "| ratio | at most 1.030 | **1.050** | 1.020 to 1.060 (n=5) | **no** | 2.0 points above the limit |" in text
    assert "| rate | at least 100,000 1/s | **200,000** 1/s | 175,000 to 225,000 (n=2) | yes |" in text
    assert "- rate: how" in text
    assert summary([RATIO, RATE]) == "1 of 2 kept; missed: ratio"


def test_a_figure_without_a_promise_is_told_beside_what_bounds_it():
    told = Row(what="search step", unit="", values=[14.0], bound=7.0)
    assert told.passed and told.distance == "2.0 times the least, 7.000"
    assert "| search step | none | **14.000** | 14.000 to 14.000 (n=1) |  | 2.0 times" in page([told], ENVIRONMENT, "d", "c")
    assert summary([told, RATE]) == "1 of 1 kept"


def test_measurements_run():
    row = activation(2)
    assert len(row.values) == 2
    assert 0 < row.measured < 10 * row.target  # a busy machine must not fail this
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert len(paths("tiny", backbone("tiny"), images, repeats=2, archs=2).values) == 4
    wall, processor = help_text("common.cli", 1)
    assert wall.unit == processor.unit == "s"


def test_search_steps_are_measured():
    steps = list(search_steps(2, "smoke", ("gdas", "amended-darts")))
    assert [row.what.rpartition(" ")[2] for row in steps] == ["gdas", "amended-darts"]
    assert all(row.bound < 3 * row.measured for row in steps)
    time, memory = plain_search_steps(2, "smoke", ("gdas",))
    assert time.target == 0.75 and len(time.values) == 2 and memory.target == 1.05 and 0.3 < memory.measured < 3
    assert {recipes["small"]().search.engine.rule for recipes in RECIPES.values()} == PASSES.keys()


@pytest.mark.parametrize("module", ["tests.bench", "tests.bench.search"])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_measured(module, tmp_path):
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "page.md"
    command = [sys.executable, "-m", module, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"error: --out {out}: ") and done.stderr.count("\n") == 1
    with pytest.raises(UserError, match=f"--out {tmp_path}: "):
        check_out(tmp_path)
