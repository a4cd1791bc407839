"""The bench of search engines: its page, its memory of what was done, and a quick run on the generated table."""

import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from common.errors import UserError
from common.objective import hypervolume
from common.tables.generated import generated
from common.tables.load import TABLES
from common.tables.own import read_table
from common.tables.study import Run, Study, study
from tests.bench import search
from tests.bench.engines import CLAIMED, ENGINES, with_fidelities, with_graph
from tests.bench.fronts import METHODS, goal, volumes
from tests.bench.kept import kept, source_digest, table_digest
from tests.bench.search_page import Entry, Facts, Front, Section, anchors, ceiling, front_rows, overview, page, verdict
from tests.bench.search_plots import curves

TABLE = generated()
ENVIRONMENT = {
    "machine": {"cpu": "Example", "cores": 2, "memory_gib": 8, "system": "Linux"},
    "versions": {"python": "3.11", "torch": "2.14", "numpy": "2.4"},
}


def entry(name: str, *results: float) -> Entry:
    """An engine whose runs end with these results after 150 queries."""
    runs = [Run(seed=i, steps=((1, 0.0, r - 1), (150, 1.0, r)), seconds=0.002) for i, r in enumerate(results)]
    return Entry(name=name, title=f"engine {name}", settings="x = 1", study=Study(queries=300, runs=runs))


def section(*entries: Entry, **changes) -> Section:
    return Section(table=replace(TABLE, **changes), entries=entries, picture="a.png")


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_is_made_from_a_table_and_a_seed(name):
    engine = ENGINES[name]
    assert engine.fits(TABLE)
    found = study(TABLE, engine.make, [0, 1], 30)
    assert found.result.shape == (2, 30)
    assert not np.isnan(found.result[:, -1]).any()
    assert source_digest(engine.make(TABLE, 0), engine.make) == source_digest(engine.make(TABLE, 1), engine.make)
    assert len(engine.settings(TABLE)) < 400 and " at 0x" not in engine.settings(TABLE)


@pytest.mark.parametrize("decisions", [1, 3, 6])
def test_every_engine_that_fits_searches_a_table_of_other_decisions(decisions, tmp_path):
    """PNAS knows the edges of NAS-Bench-201 and the nodes of NAS-Bench-Graph; other tables have neither."""
    file = tmp_path / "foreign.csv"
    rows = list(product(range(2 if decisions > 1 else 9), repeat=decisions))
    lines = [",".join([*(f"o{n}" for n in row), str(sum(row) + row[0] / 7)]) for row in rows]
    file.write_text("\n".join([",".join([*(f"arch.d{i}" for i in range(decisions)), "score.accuracy"]), *lines]))
    table = read_table(file, "accuracy").table
    fitting = [engine for engine in ENGINES.values() if engine.fits(table)]
    assert len(fitting) >= 8
    for engine in fitting:
        proposed = [proposal.arch for proposal in engine.make(table, 0).ask(3)]
        assert proposed and all(table.row(arch) < len(rows) for arch in proposed), engine.title


def test_settings_are_what_an_engine_does_not_share():
    assert ENGINES["aging"].settings(TABLE) == "population = 10, tournament = 3, children = 1"
    assert ENGINES["random"].settings(TABLE) == "none"
    assert with_graph(TABLE) and with_fidelities(TABLE)
    bare = replace(TABLE, graph=None, scores={"12 epochs": TABLE.scores["12 epochs"]})
    assert not with_graph(bare) and not with_fidelities(bare)


def test_results_are_kept_and_only_what_is_missing_is_made(tmp_path):
    made = []

    def produce(seeds):
        for seed in seeds:
            made.append(seed)
            yield {"seed": seed, "value": seed * 10}

    file = tmp_path / "a" / "b.jsonl"
    first, commit = kept(file, {"queries": (1, 2)}, "old", [0, 1], produce)
    assert (first, commit) == ([{"seed": 0, "value": 0}, {"seed": 1, "value": 10}], "old")
    file.write_bytes(file.read_bytes()[:-5])  # killed while seed 1 was written
    rows, commit = kept(file, {"queries": [1, 2]}, "new", [2, 1, 0], produce)
    assert [row["value"] for row in rows] == [20, 10, 0]
    assert (made, commit) == ([0, 1, 2, 1], "old")
    assert kept(file, {"queries": [1, 2]}, "new", [1], produce)[0] == [{"seed": 1, "value": 10}]
    kept(file, {"queries": [1, 3]}, "new", [1], produce)
    assert made[4:] == [1], "another key: begun anew"


def test_a_table_with_another_number_has_another_digest():
    costs = {**TABLE.costs, "latency": TABLE.costs["latency"] + 1e-9}
    assert table_digest(TABLE) == table_digest(generated()) != table_digest(replace(TABLE, costs=costs))


def test_the_verdict_names_who_is_ahead_and_who_is_behind():
    random, aging = entry("random", 90, 91, 92), entry("aging", 93, 94, 95)
    bad, good = entry("bad", 85, 86, 87), entry("good", 96, 97, 98)
    ahead, worse = verdict(section(random, aging, bad, good), 300)
    error = math.sqrt(2 / 3)
    assert ahead == f"At 150 queries the best of the others, engine good, is ahead of aging evolution: +3.000 ± {error:.3f}."
    assert worse.endswith(f"standard errors: engine bad (-5.000 ± {error:.3f}).")
    level, none = verdict(section(random, aging, entry("same", 93, 94, 95.3)), 300)
    assert "level with" in level and none.endswith("none.")
    assert "behind aging" in verdict(section(random, aging, bad), 300)[0]
    assert "level with" in verdict(section(random, entry("aging", 90), entry("one", 99)), 300)[0], "one seed shows nothing"


def test_the_overview_has_a_line_for_each_table():
    random, aging, good = entry("random", 90, 91, 92), entry("aging", 93, 94, 95), entry("good", 96, 97, 98)
    lines = overview([section(random, aging, good), section(random, aging, entry("bad", 85, 86, 87))], 300)
    assert lines[-2] == f"| {TABLE.title} | engine good | +3.000 ± 0.816 | +3.7 | none |"
    assert lines[-1] == f"| {TABLE.title} | engine bad | -8.000 ± 0.816 | -9.8 | engine bad |"


def test_a_section_says_how_far_the_objective_leads():
    scores = {"12 epochs": {"valid": np.array([1.0, 3.0, 2.0]), "test": np.array([90.0, 92.0, 93.0])}}
    assert ceiling(replace(TABLE, scores=scores)).endswith("has a result of 92.00; the best of the table has 93.00.")


def test_expensive_engines_have_fewer_seeds():
    claimed = replace(TABLE, name=CLAIMED[0])
    assert [len(ENGINES["pnas"].seeds(table, 200)) for table in (claimed, TABLE)] == [64, 4]
    assert [len(ENGINES["random"].seeds(table, 200)) for table in (claimed, TABLE)] == [200, 50]
    assert len(ENGINES["pnas"].seeds(claimed, 3)) == 3
    assert set(CLAIMED) <= set(TABLES)


def test_published_results_stand_beside_ours():
    random = entry("random", *[94.06 + 1] * 3)
    lines = anchors(section(random, name="nasbench201-cifar10"), 300)
    assert lines[-1] == "| engine random | 93.70 ± 0.36 | 94.06 ± 0.00 | +1.00 |"
    assert anchors(section(random), 300) == anchors(section(random, name="nasbench201-cifar10"), 50) == []


def test_a_front_is_compared_with_ours():
    values = {"ours": np.array([[0.5], [0.7]]), "theirs": np.array([[0.4], [0.6]])}
    lines = front_rows(Front(table="T", device="phone", at=[100], volumes=values))
    assert lines[2] == "| ours | 60.00 ± 10.00 (std 14.14) | 2 |"
    assert lines[-1] == "ours at 100 queries, difference to others: theirs +10.00 ± 14.14."


def test_the_page_says_what_is_missing_and_where_it_comes_from():
    facts = Facts(
        command="make it", date="2026-01-02", environment=ENVIRONMENT, commits=["abc"], queries=[50], seeds=3, missing=["x: gone"]
    )
    gone = Entry(name="picky", title="picky engine", settings="", study=None)
    text = page(facts, [section(entry("random", 90, 91, 92), gone)], [], "", ["because"])
    assert "Made on 2026-01-02 by `make it` on Example (2 cores, 8 GiB)" in text
    assert "Commit of the runs: abc." in text and "- x: gone" in text
    assert "| engine random | 90.00 ± 0.58 (std 1.00) | 0.00 ± 0.00 (std 0.00) | 2.00 | 3 |" in text
    assert "| picky engine | does not fit | - | - | - |" in text
    assert f"| {TABLE.title} | - | - | - | none |" in text and "\n- because\n" in text
    assert "- engine random: x = 1." in text


def test_a_curve_begins_where_all_seeds_have_a_result(tmp_path):
    late = np.array([[np.nan, np.nan, 1.0, 2.0], [np.nan, 0.5, 1.0, 1.5]])
    curves(tmp_path / "new" / "a.png", "Title", "%", {"a": late, "nothing": np.full((2, 4), np.nan)})
    data = (tmp_path / "new" / "a.png").read_bytes()
    assert data.startswith(b"\x89PNG") and 1000 < len(data) < 60_000


@pytest.mark.parametrize("method", METHODS)
def test_volumes_are_shares_of_the_tables_own_front(method):
    aim = goal(TABLE, "latency")
    found = volumes(method, TABLE, aim, (20, 60), 0)
    assert found == volumes(method, TABLE, aim, (20, 60), 0)
    assert 0 <= found[0] <= found[1] <= 1
    everything = np.stack([TABLE.scores[TABLE.fidelity]["valid"], TABLE.costs["latency"]], axis=1)
    assert hypervolume(everything, aim.reference, aim.objectives) == pytest.approx(aim.most)


def test_tables_are_found_by_the_beginning_of_their_names():
    assert search.matching("nasbench201-cifar10") == ["nasbench201-cifar10"], "not cifar100 as well"
    assert search.matching("nasbench201") == [name for name in TABLES if name.startswith("nasbench201-")]
    assert search.matching("all") == list(TABLES)
    with pytest.raises(UserError, match="there is no table 'nope'"):
        search.matching("nope")


def test_without_the_tables_the_generated_one_is_searched_and_a_second_run_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(search, "FRONT_QUERIES", (20, 30))
    options = ["--table", "nasbench201", "--seeds", "2", "--queries", "10", "20", "--workers", "0", "--data", str(tmp_path)]
    options += [
        "--out",
        str(tmp_path / "docs/search.md"),
        "--images",
        str(tmp_path / "images"),
        "--cache",
        str(tmp_path / "runs"),
    ]
    search.main(options)
    printed = capsys.readouterr().out
    assert "missing: nasbench201-cifar10: table" in printed and "Generated cells" in printed
    text = (tmp_path / "docs/search.md").read_text()
    assert "- nasbench201-imagenet16-120: table" in text
    assert "| random search |" in text and "10 queries | 20 queries" in text
    assert "](../images/search-generated.png)" in text and (tmp_path / "images/search-generated.png").exists()
    assert "pymoo's NSGA-II" in text
    one = tmp_path / "runs/generated/aging.jsonl"
    one.write_bytes(one.read_bytes()[:-10])
    shutil.rmtree(tmp_path / "docs")
    search.main(options)
    again = (tmp_path / "docs/search.md").read_text()
    untimed = [line for line in text.splitlines() if "| aging evolution |" not in line]
    assert [line for line in again.splitlines() if "| aging evolution |" not in line] == untimed


@pytest.mark.parametrize("wrong", [["--seeds", "0"], ["--queries", "0"], ["--engines", "none"]])
def test_wrong_options_are_refused(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        search.parsed(wrong)
    assert stopped.value.code == 2
    assert "error" in capsys.readouterr().err


def test_a_wrong_folder_and_a_damaged_table_are_refused_and_nothing_is_written(tmp_path):
    out, nowhere = tmp_path / "docs" / "search.md", tmp_path / "nowhere"
    places = ["--out", str(out), "--cache", str(tmp_path / "runs")]
    command = [sys.executable, "-m", "tests.bench.search", *places, "--data", str(nowhere)]
    done = subprocess.run(command, cwd=search.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: --data {nowhere} is no folder: give the one that holds nasbench/\n"
    file = tmp_path / "nasbench" / "nasbench201" / "nasbench201.npz"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half")
    with pytest.raises(UserError, match=re.escape(f"table {file} cannot be read")) as refused:
        search.main([*places, "--table", "nasbench201-cifar10", "--data", str(tmp_path)])
    assert "\n" not in str(refused.value) and not out.exists()
