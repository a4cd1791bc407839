"""The comparison of the DARTS line: its settings, and what its page says of made-up rows."""

from random import Random

import pytest

from classification.darts.recipes import RECIPES
from classification.darts.spaces import TABLE_OPERATIONS
from classification.darts.system import SYSTEM
from common.arch import labels
from common.errors import UserError
from common.overrides import override
from common.space import sample
from tests.bench.darts_line import Task, jobs, parsed
from tests.bench.darts_line_own import METHODS, TRAININGS, found
from tests.bench.darts_line_own import parsed as own_parsed
from tests.bench.darts_line_own import settings_of as own_settings
from tests.bench.darts_line_page import collapses, gates, main, own, page, searches, spread, yardsticks
from tests.bench.darts_line_settings import COLLAPSE, ENTRIES, settings_of

CONV = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
SMALL = "|nor_conv_1x1~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
SKIPS = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|"
TABLE = {CONV: 94.0, SMALL: 92.0, SKIPS: 60.0}


def row(method, seed, cell, long=False, **more):
    made = {"method": method, "seed": seed, "long": long, "cell": cell, "test": TABLE[cell], "seconds": 90.0, "stopped": 4}
    return {**made, "skips": cell.count("skip_connect"), "snapshots": [60.0, 92.0, 94.0, TABLE[cell]], **more}


ROWS = [
    *(row("darts", seed, cell) for seed, cell in enumerate((CONV, SMALL, SMALL))),
    *(row("mile-nas", seed, cell) for seed, cell in enumerate((CONV, SKIPS))),
    *(row("darts", seed, SKIPS, long=True) for seed in range(3)),
    *(row("fair-darts", seed, cell, long=True) for seed, cell in enumerate((CONV, CONV, SKIPS))),
    *(row("sdarts", seed, cell, long=True) for seed, cell in enumerate((CONV, SKIPS))),  # half of the seeds are not most
    *(row("p-darts", seed, cell, long=True) for seed, cell in enumerate((SKIPS, SKIPS, CONV))),
    {"method": "random", "seed": 0, "long": False, "cell": SMALL, "test": 92.0, "seconds": 90.0, "tried": 3},
]


def test_yardsticks_are_of_the_table():
    found = dict(yardsticks(TABLE, 2))
    assert found["mean of all 3 cells"] == pytest.approx(82.0) and found["their median"] == 92.0
    assert found["convolutions 3x3 on all edges"] == found["the best cell"] == 94.0
    assert found["mean of the 2 cells of convolutions alone"] == 93.0
    assert found["95th percentile of the mean of 2 random cells"] == 94.0
    assert yardsticks(TABLE, 2) == yardsticks(TABLE, 2)


def test_searches_are_in_the_order_of_their_means():
    head = 2
    lines = searches(ROWS)[head:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == ["DARTS, first order", "random search", "MiLeNAS"]
    assert lines[0] == "| DARTS, first order | 3 | 92.67 ± 1.15 | 92.00 to 94.00 | 2.0 | 0.0 | 0.0 | 90 |"
    assert lines[2] == "| MiLeNAS | 2 | 77.00 ± 24.04 | 60.00 to 94.00 | 17.0 | 1.5 | 1.0 | 90 |"
    assert spread([1.0]) == "1.00"


def test_gates_say_what_holds():
    told = gates(ROWS)
    assert told[0].endswith("worst seed 92.00 (at least 90.8), 3 seeds: holds.")
    assert told[1].startswith("- MiLeNAS: mean 77.00 (at least 92.3)") and told[1].endswith("2 seeds: does not hold.")
    assert told[2] == "- DARTS collapses at rate 0.01 and 1,500 steps (at least 3 skips): in 3 of 3 seeds."
    assert told[3] == "- Most of the seeds avoid it there with: FairDARTS (skips alone; for accuracy see above)."
    assert collapses(ROWS)[2] == "| DARTS, first order | 3 3 3 | 60.00 60.00 60.00 | 60.00 ± 0.00 | 4 4 4 |"


def test_the_page_names_its_making_and_its_limits():
    text = page(ROWS, TABLE, "abc123")
    assert "code of commit abc123" in text and "0.4 hours of processor time" in text
    assert "Not run yet: one level, sigmoid gates alone, NASP" in text and "Not run yet: DARTS, first order" not in text
    assert "95th percentile of the mean of 3 random cells" in text and "Up to 3 searches of a method" in text


def test_a_missed_mean_is_explained_beside_what_was_tried():
    tried = [row(name, seed, cell) for name in ("sigmoid", "fair-darts-1") for seed, cell in enumerate((CONV, SKIPS))]
    missed = [row("fair-darts", seed, cell) for seed, cell in enumerate((SKIPS, CONV, SKIPS))]
    kept = [row("fair-darts", seed, CONV) for seed in range(3)]
    assert "FairDARTS misses its mean by" in page([*missed, *tried], TABLE, "x")
    assert "misses its mean" not in page([*kept, *tried], TABLE, "x") and "misses its mean" not in page(missed, TABLE, "x")


@pytest.mark.parametrize("name", ENTRIES)
def test_every_method_has_the_same_recipe(name):
    for long in (False, True):
        settings = settings_of(name, 3, "folder", long)
        assert settings.seed == 3 and settings.space.operations == TABLE_OPERATIONS and not settings.budget
        assert settings.search.engine.arch.lr == (1e-2 if long else 5e-3) and settings.search.engine.forbidden == ()
        steps = settings.weights.steps * (3 if name == "p-darts" else 1)
        assert steps == pytest.approx(1500 if long else 800, abs=2)


def test_jobs_go_through_the_seeds_in_turn():
    wanted = list(jobs(5, ()))
    assert len(wanted) == len(set(wanted)) == 5 * (len(ENTRIES) + 1) + 3 * len(COLLAPSE)
    assert [seed for _, seed, _ in wanted] == sorted(seed for _, seed, _ in wanted)
    assert list(jobs(2, ("gdas",))) == [("gdas", 0, False), ("gdas", 1, False)]


def alone(method, seed, first, second, macs=2_000_000):
    tests = {"AdamW": first, "SGD": second}
    return {"method": method, "seed": seed, "tests": tests, "params": 1, "macs": macs, "search": 60.0, "seconds": 90.0}


def test_what_no_table_knows_is_ranked_under_both_trainings():
    rows = [
        alone("darts", 0, 60.0, 70.0),
        alone("darts", 1, 62.0, 66.0, macs=3_000_000),
        alone("random", 0, 50.0, 69.0),
        alone("gold-nas", 0, 40.0, 90.0),
    ]
    lines = own(rows)
    assert lines[0].count(" test, % |") == 2 and lines[1].count("---:") == 5
    assert lines[2] == "| DARTS, first order | 2 | 2.0 to 3.0 | 61.00 ± 1.41 | 68.00 ± 2.83 | 60 |"
    assert lines[3] == "| GOLD-NAS | 1 | 2.0 to 2.0 | 40.00 | 90.00 | 60 |"
    assert "AdamW: DARTS, first order, a random cell, GOLD-NAS. SGD: GOLD-NAS, a random cell, DARTS" in lines[-1]
    # Pairs of networks that both trainings order alike less those they do not: 1 - 5 of 6, and 1 - 2 of 3.
    assert "over 4 networks: -0.67; over the 3 of the space of DARTS: -0.33." in lines[-1]
    assert own(rows[:1])[-1] == "Order by the mean. AdamW: DARTS, first order. SGD: DARTS, first order."
    assert "## Spaces that no table knows" in page(ROWS, TABLE, "abc", rows) and "no table knows" not in page(ROWS, TABLE, "abc")


@pytest.mark.parametrize("method", METHODS)
def test_own_spaces_are_searched_and_trained_in_one_recipe(method):
    settings = own_settings(method, 1, "folder")
    assert settings.seed == 1 and settings.data.size == 16 and settings.weights.steps == 500 and settings.weights.batch == 64
    first, second = (override(settings, overrides) for overrides in TRAININGS.values())
    assert first == settings and first.train.optim.name == "adamw" and second.train.optim.name == "sgd"
    engine = settings.search.engine
    assert (engine.shrink is not None, engine.prune is not None) == (method == "da-nas", method == "gold-nas")


def test_what_is_not_there_is_refused(tmp_path, capsys):
    page_file = tmp_path / "page.md"
    with pytest.raises(UserError, match=r"rows\.jsonl: no such file; give folders that tests\.bench\.darts_line wrote"):
        main(["--runs", str(tmp_path), "--page", str(page_file), "--commit", "c"])
    assert not page_file.exists()
    with pytest.raises(SystemExit):
        parsed(["--out", str(tmp_path), "--only", "bogus"])
    assert "invalid choice: 'bogus'" in capsys.readouterr().err
    for search in (parsed, own_parsed):
        with pytest.raises(SystemExit):
            search(["--out", str(tmp_path), "--seeds", "-1"])
        assert "-1 seeds are none: give 1 or more" in capsys.readouterr().err


def test_gold_nas_may_take_as_many_macs_as_the_network_by_hand(tmp_path, monkeypatch):
    searched = []

    def search(task, path):
        searched.append(task)
        return {"search": {"arch": labels(task.space, sample(task.space, Random(0)))}}

    monkeypatch.setattr("tests.bench.darts_line_own.run_search", search)
    monkeypatch.setattr("tests.bench.darts_line_own.settings_of", lambda method, seed, folder: RECIPES[method]["smoke"]())
    found("gold-nas", 0, tmp_path, tmp_path)
    (task,) = searched
    plain = Task(SYSTEM, RECIPES["darts"]["smoke"](), tmp_path)
    assert task.settings.budget == {"macs": plain.costs(plain.baseline)["macs"]}
