"""A latency table among the costs of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch

from binary.groups.recipes import smoke
from binary.groups.space import open_network
from binary.groups.system import SYSTEM
from binary.packed.layer import PackedConv2d
from binary.width.recipes import smoke as width_smoke
from binary.width.system import SYSTEM as WIDTH
from classification.darts.system import SYSTEM as DARTS
from common.cost.table import LatencyTable
from common.cost.timed import LATENCY, Timed
from common.errors import UserError
from common.options import RunOptions, settings_of
from common.overrides import plain
from common.run.files import read_json, write_json
from common.space import Arch, OneOf, decisions, decode, enumerate_all, label, sample, space_fingerprint
from common.stages.latency import Subject
from common.stages.run import run
from tests.common.run.rows import rows

PLAIN = smoke()
SPACE = open_network(PLAIN.space.blocks, PLAIN.space.stem, PLAIN.space.stride, 10)
GOOD = {"n": 10, "median_percent": 3.0, "spearman": 0.9}


def write(file: Path, check: dict[str, float] = GOOD, space=SPACE, faster: float = 0.1) -> str:
    """A table in which the first options take 5 ms together, and each later option of a decision `faster` ms less."""
    found = decisions(space)
    table = LatencyTable(
        space=space_fingerprint(space),
        base_ms=5.0,
        rows={path: [-faster * i for i in range(len(decision))] for path, decision in found.items()},
        labels={path: [label(decision, i) for i in range(len(decision))] for path, decision in found.items()},
        conditions={"device": "cpu (test)", "threads": 1},
        check=check,
    )
    file.write_text(table.text())
    return str(file)


def task(file: str, **changes):
    return SYSTEM.make(replace(PLAIN, latency=file, **changes), Path("none"))


def test_the_latency_stands_beside_the_other_costs(tmp_path):
    plain, timed = SYSTEM.make(PLAIN, Path("none")), task(write(tmp_path / "t.json"))
    arch = Arch(dict.fromkeys(decisions(SPACE), 2))
    assert timed.costs(arch) == {**plain.costs(arch), LATENCY: pytest.approx(5 - 0.8)}
    assert isinstance(timed.networks.costs, Timed) and not isinstance(plain.networks.costs, Timed)


def test_a_limit_that_no_architecture_keeps_is_refused(tmp_path):
    timed = task(write(tmp_path / "t.json"))
    least = min(timed.costs(arch)[LATENCY] for arch in enumerate_all(SPACE))
    timed.check_budget(LATENCY, least + 1e-6)
    with pytest.raises(UserError, match=r"budget latency=1 is impossible: the cheapest architecture costs 2\.9"):
        timed.check_budget(LATENCY, 1.0)
    timed.check_budget("ops", 66e3)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda file: write(file, {**GOOD, "spearman": 0.1}), r"has failed its check, with a rank correlation of 0\.10"),
        (lambda file: write(file, space=(OneOf(1, 2),)), "was measured for another space"),
        (lambda file: str(file), "cannot be read"),
        (lambda file: str(file.write_text("{}") and file), "is not a latency table"),
    ],
)
def test_a_table_that_cannot_be_used_is_told(tmp_path, make, said):
    timed = task(make(tmp_path / "t.json"))
    with pytest.raises(UserError, match=rf"t\.json: .*{said}"):
        timed.costs(timed.baseline)


def test_a_budget_of_latency_needs_a_table():
    with pytest.raises(UserError, match=r"budget 'latency' needs a latency table: --set latency=TABLE\.json"):
        replace(PLAIN, budget={"latency": 2.0})


def test_budgets_are_read_behind_the_settings_that_bring_their_costs(tmp_path):
    file = write(tmp_path / "t.json")
    settings = settings_of({"smoke": smoke}, RunOptions(recipe="smoke", budget=("latency=2",), set=(f"latency={file}",)))
    assert settings.budget == {"latency": 2.0} and settings.latency == file


def test_a_multiplier_can_follow_the_expected_latency(tmp_path):
    from common.cost.expected import ExpectedCost
    from common.objective import Constraint
    from common.stages.gradient_checks import _check_dual

    timed = task(write(tmp_path / "t.json"))
    _check_dual(timed, [Constraint("latency", upper=4)])
    assert timed.networks.price is not None
    priced = timed.networks.price(LATENCY)
    assert priced is not None and priced[1] == LATENCY
    uniform = {path: torch.full((len(d),), 1 / len(d)) for path, d in decisions(SPACE).items()}
    means = [0.1 * (len(d) - 1) / 2 for d in decisions(SPACE).values()]
    assert float(ExpectedCost(priced[0])(uniform)[LATENCY]) == pytest.approx(5 - sum(means))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A folder whose networks are known: nothing else of a run is read."""
    folder = tmp_path_factory.mktemp("binary") / "run"
    settings = width_smoke()
    made = WIDTH.make(settings, Path("none"))
    config = {"task": "binary", "system": "binary-width", "settings": plain(settings), "data": made.data.describe()}
    folder.mkdir()
    write_json(folder / "config.json", config)
    return folder


def test_networks_are_timed_as_they_are_deployed_and_widths_that_meet_together(finished):
    subject = Subject.of_run(finished, pairs=True, deployed=True)
    assert subject.pairs == [(f"ratios.{i}", f"ratios.{i + 1}") for i in range(3)]
    network = subject.build(decode(subject.description, sample(subject.description, Random(0))))
    assert sum(isinstance(module, PackedConv2d) for module in network.modules()) == 3 and not subject.shared
    plainly = Subject.of_run(finished)
    assert plainly.shared and not plainly.pairs


def test_networks_that_are_deployed_as_they_are_have_no_other_times(tmp_path):
    settings = DARTS.method("darts").recipes["smoke"]()
    made = DARTS.make(settings, Path("none"))
    config = {"task": "classification", "system": "darts", "settings": plain(settings), "data": made.data.describe()}
    write_json(tmp_path / "config.json", config)
    with pytest.raises(UserError, match=r"--deployed: networks of .* are deployed as they are; leave the option out"):
        Subject.of_run(tmp_path, deployed=True)


def test_a_run_keeps_the_budget_and_is_not_resumed_with_another_table(tmp_path):
    file, out = write(tmp_path / "t.json"), tmp_path / "run"
    settings = settings_of(
        {"smoke": smoke},
        RunOptions(
            recipe="smoke",
            budget=("latency=4.2",),
            set=(
                *(f"latency={file}", "search.trials=4", "search.engine=random", "search.random_baseline=false", "pictures=0"),
                *("weights.steps=2", "train.steps=2", "retrain.random_archs=0", "retrain.seeds=1", "search.evaluation.images=50"),
            ),
        ),
    )
    options = RunOptions(recipe="smoke", out=str(out), quiet=True, workers=0)
    run(SYSTEM, SYSTEM.methods[0], settings, options)
    config = read_json(out / "config.json")
    assert config["latency_table"]["check"] == GOOD and config["constraints"] == [{"metric": "latency", "upper": 4.2}]
    latencies = [row["cost"]["latency"] for row in rows(out, "trials")]
    assert len(latencies) == 4 and max(latencies) <= 4.2
    assert "latency" in (out / "report.html").read_text()
    write(tmp_path / "t.json", faster=0.11)
    with pytest.raises(UserError, match="was started with other settings: latency_table"):
        run(SYSTEM, SYSTEM.methods[0], settings, replace(options, resume=True))
