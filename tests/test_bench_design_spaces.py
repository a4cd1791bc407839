"""Random networks of the published cell spaces: how they are drawn, trained, kept and compared."""

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from classification.cells.space import FAMILIES, NODES
from common.errors import UserError
from common.evaluate.pool import LocalPool
from common.run.files import Jsonl
from common.stages.spaces import compare_spaces
from tests.bench.design_spaces import PLANS, Sampling, draw_all, parsed, sampling_of


class Quick(Sampling):
    """Rows without a training; `asked` holds the items of all rows made."""

    asked: ClassVar[list[tuple[str, int]]] = []

    def row(self, item: tuple[str, int]) -> dict[str, Any]:
        self.asked.append(item)
        macs = 100 * (1 + item[1] % 10)
        scores, cost = {"accuracy": macs / 2000}, {"macs": macs}
        return {"number": item[1], "arch": {"a": "1"}, "scores": scores, "cost": cost, "seconds": 0.0}


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(Quick, "asked", [])
    of = sampling_of("smoke", None, 0, [])
    return Quick(of.plan, of.settings)


def test_a_network_is_a_function_of_seed_family_and_number():
    sampling = sampling_of("smoke", None, 0, ["train.steps=1"])
    first, again = (sampling.row(("enas", 3)) for _ in range(2))
    assert {**first, "seconds": 0} == {**again, "seconds": 0} and first["status"] == "ok"
    assert set(first["scores"]) == {"accuracy", "loss"} and first["cost"]["macs"] > 0
    assert first["arch"]["width"] == str(sampling.drawn("enas", 3)[0])


def test_every_width_and_depth_is_drawn_with_cells_of_its_own():
    sampling = sampling_of("smoke", None, 0, [])
    drawn = [sampling.drawn("enas", number) for number in range(60)]
    assert {(width, cells) for width, cells, _ in drawn} == {(w, c) for w in (4, 8, 12) for c in (3, 4, 5)}
    assert len({arch for _, _, arch in drawn}) == 60


def test_a_family_has_the_nodes_and_operations_of_its_paper_and_networks_differ_in_size():
    assert set(NODES) == set(FAMILIES)
    sampling = sampling_of("smoke", None, 0, [])
    spaces = {family: sampling.task(family).space for family in ("darts", "enas")}
    assert {family: len(space.normal.nodes) for family, space in spaces.items()} == {"darts": 4, "enas": 5}
    assert sampling.task("enas").settings.space.names == FAMILIES["enas"]
    task, arch = sampling.task("darts"), sampling.task("darts").baseline
    sizes = {task.variant((f"network.width={w}", f"network.cells={c}")).costs(arch)["macs"] for w in (4, 12) for c in (3, 5)}
    assert len(sizes) == 4


@pytest.mark.parametrize("recipe", PLANS)
def test_every_recipe_has_a_plan_that_its_settings_take(recipe):
    sampling = sampling_of(recipe, "my data", 2, ["train.steps=7"])
    settings = sampling.settings
    assert settings.data.folder == "my data" and settings.seed == 2 and settings.train.steps == 7
    assert settings.search.engine.name == "random" and min(sampling.plan.cells) >= 3
    assert all(width % 2 == 0 for width in sampling.plan.widths)


def test_what_is_there_is_not_trained_again_and_the_tables_can_be_compared(quick, tmp_path, capsys):
    draw_all(quick, tmp_path, 18, LocalPool(0))
    (tmp_path / "enas.jsonl").write_text((tmp_path / "enas.jsonl").read_text()[:-5])  # killed while it wrote the last row
    quick.asked.clear()
    draw_all(quick, tmp_path, 20, LocalPool(0))
    assert sorted(quick.asked) == sorted([(family, n) for family in NODES for n in (18, 19)] + [("enas", 17)])
    assert "enas: 3 networks trained in 0 processor seconds, 17 were there" in capsys.readouterr().out
    assert [row["number"] for row in Jsonl(tmp_path / "enas.jsonl", of_run=False).rows()] == list(range(20))
    files = [tmp_path / f"{family}.jsonl" for family in NODES]
    assert "| enas | 20 | 20 | 20.0 |" in compare_spaces(files, "accuracy", "macs").text


def test_networks_of_other_settings_are_not_mixed(quick, tmp_path):
    draw_all(quick, tmp_path, 1, LocalPool(0))
    other = replace(quick, settings=replace(quick.settings, seed=1))
    with pytest.raises(UserError, match=r"it has networks of other settings .* which do not compare; give another folder"):
        draw_all(other, tmp_path, 1, LocalPool(0))


def test_bad_input_leaves_nothing_behind(quick, tmp_path):
    elsewhere = sampling_of("smoke", str(tmp_path / "nowhere"), 0, [])
    with pytest.raises(UserError, match="nowhere is not a folder"):
        draw_all(elsewhere, tmp_path / "out", 1, LocalPool(0))
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file: File exists; give a folder, or the name of a new one"):
        draw_all(quick, tmp_path / "file", 1, LocalPool(0))


@pytest.mark.parametrize(
    "word", ["network.width=8", "space.family=enas", "space.nodes=3", "search.engine.population=5", "space=nasbench201"]
)
def test_what_the_study_decides_cannot_be_set(word):
    with pytest.raises(UserError, match=f"--set {word}: the study"):
        sampling_of("smoke", None, 0, [word])


def test_too_few_networks_are_refused_before_any_is_trained(capsys):
    with pytest.raises(SystemExit):
        parsed(["--out", "x", "--trials", "29"])
    assert "29 networks tell no space; give 30 or more" in capsys.readouterr().err
