"""The report of a long search stays small: charts are thinned, tables cut with the count said, and files read line by line."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from common.run.report.figures import sampled, stairs
from common.run.report.write import write_report
from tests.common.run.report.make_run import CONFIG, DECISIONS, OPTIONS, macs

TRIALS = 20_000
SCRIPT = """
import re, sys
from pathlib import Path
from common.run.report import write_report
write_report(Path(sys.argv[1]))
status = Path("/proc/self/status")  # of this program alone, unlike getrusage; Linux has it
print(re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1] if status.is_file() else 0)
"""


def long_run(path: Path, trials: int) -> Path:
    """A run of many trials, each better than those before, with a failure in every tenth, and of as many random ones."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps(CONFIG))
    (path / "space.json").write_text(json.dumps({"fingerprint": "ab12cd34", "decisions": DECISIONS}))
    rng = random.Random(0)
    for file, rises in (("trials", 1.0), ("random", 0.5)):
        with (path / f"{file}.jsonl").open("w") as lines:
            for index in range(trials):
                arch = {name: rng.choice(OPTIONS) for name in DECISIONS}
                failed = index % 10 == 3
                score = rises * index / trials + 0.1 * rng.random()
                row = {
                    "id": index,
                    "arch": arch,
                    "scores": {} if failed else {"AP50": score, "AP": score / 2},
                    "cost": {"macs": macs(arch) + rng.random(), "params": index},
                    "fidelity": "full",
                    "seconds": 0.5,
                    "status": "failed" if failed else "ok",
                    "error": "loss is not finite" if failed else "",
                    "parents": [],
                    "origin": "mutation",
                }
                lines.write(json.dumps(row) + "\n")
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The text of a report of `TRIALS` trials and as many random ones, and the most memory that writing it took, in bytes."""
    run = long_run(tmp_path_factory.mktemp("long") / "run", TRIALS)
    done = subprocess.run([sys.executable, "-c", SCRIPT, run], capture_output=True, text=True, check=True)
    return (run / "report.html").read_text(), 1024 * int(done.stdout)


def test_a_long_search_gives_a_small_report(report):
    text, memory = report
    assert len(text) < 1_000_000  # does not grow with the trials: 2 MB are allowed for 200,000
    assert memory < 160e6  # 76 MB before the first trial, 1.1 kB for each of the 40,000 of this test: 516 MB for 400,000


def test_what_is_left_out_is_counted(report):
    text, _ = report
    assert (
        "2,000 of 20,000 trials, evenly spaced and 2,000 of 20,000 random trials, evenly spaced, scored during the search" in text
    )
    assert "200 of 4,000 rows are shown; trials.jsonl, random.jsonl and retrained.jsonl together has all." in text
    assert text.count("loss is not finite") == 200


def test_a_short_search_is_shown_whole(tmp_path):
    text = write_report(long_run(tmp_path / "run", 300)).read_text()
    assert "Every trial, scored during the search." in text and "rows are shown" not in text
    assert text.count("loss is not finite") == 60


def test_points_are_spaced_evenly_with_both_ends():
    assert sampled(range(5), 5) == [0, 1, 2, 3, 4] and sampled(range(101), 5) == [0, 25, 50, 75, 100]


def test_stairs_keep_the_changes_and_the_end():
    assert stairs([None, 1.0, 1.0, 2.0, 2.0], 10) == [(2.0, 1.0), (4.0, 2.0), (5.0, 2.0)]
    assert stairs([None, None], 10) == []
    rising = stairs([float(i) for i in range(1000)], 10)
    assert len(rising) == 11 and rising[0] == (1.0, 0.0) and rising[-1] == (1000.0, 999.0)
