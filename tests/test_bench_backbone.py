"""The study on backbone search: its figures from made-up scores, and what a second start does not compute again."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from common.arch import labels
from common.errors import UserError
from common.objective import Constraint
from common.run.files import Jsonl
from common.space import OneOf
from tests.bench import backbone
from tests.bench.backbone_figures import Study, Trained, figures, markdown
from tests.bench.backbone_settings import STUDIES

STUDY = Study(name="mobile", settings=STUDIES["mobile"]().settings, candidates=24, networks=12)
TRUTH = np.random.default_rng(0).normal(0.6, 0.03, 24)
SPACE = {"width": OneOf(1, 2, 3, 4), "kernel": OneOf(3, 5, 7)}


def noisy(spread: float, seed: int) -> list[float]:
    return (TRUTH + np.random.default_rng(seed).normal(0, spread, 24)).tolist()


def units(networks, seeds, spread=0.005) -> dict[tuple[int, int], Trained]:
    tests = {seed: noisy(spread, 10 + seed) for seed in range(seeds)}
    return {
        (i, seed): Trained(val=tests[seed][i] + 0.01, test=tests[seed][i], macs=1000 + i % 7, params=10 * i, seconds=2.0)
        for i in networks
        for seed in range(seeds)
    }


def test_the_gate_is_passed_where_networks_differ_and_supernets_agree():
    found = figures(STUDY, units(range(8), 3), [noisy(0.01, 1), noisy(0.01, 2)])
    assert found.f == pytest.approx(stats.f_oneway(*found.gate).statistic) and found.f > 3
    assert found.agreement == pytest.approx(stats.kendalltau(noisy(0.01, 1), noisy(0.01, 2)).statistic)
    assert found.passed and "The gate is passed." in markdown(STUDY, found)
    assert found.rows == [] and found.seconds == 48


@pytest.mark.parametrize(("spread", "second"), [(1.0, noisy(0.01, 2)), (0.005, noisy(1.0, 2))])
def test_the_gate_is_failed_by_seeds_or_by_supernets(spread, second):
    found = figures(STUDY, units(range(8), 3, spread), [noisy(0.01, 1), second])
    assert not found.passed and "The gate is failed." in markdown(STUDY, found)


def test_half_a_gate_passes_nothing():
    assert not figures(STUDY, units(range(8), 3), []).passed
    assert not figures(STUDY, {}, []).passed


def test_predictors_are_compared_on_the_networks_that_were_chosen():
    shared = [noisy(0.01, 1), noisy(0.01, 2)]
    chosen = list(range(0, 24, 2))
    found = figures(STUDY, units(range(24), 3), shared, chosen, resamples=100)
    assert found.numbers == chosen and all(len(row) == STUDY.seeds == 2 for row in found.retrained)
    first, *_, macs, params = found.rows
    means = np.mean(found.retrained, axis=1)
    assert first.tau[0] == pytest.approx(stats.kendalltau([shared[0][i] for i in chosen], means).statistic)
    assert first.tau[1] < first.tau[0] < first.tau[2]
    assert params.tau[0] == pytest.approx(stats.kendalltau(chosen, means).statistic)
    assert macs.equal is None and macs.partial is None
    top = np.argsort([-shared[0][i] for i in chosen])[:5]
    assert first.regret[5] == pytest.approx(means.max() - means[top].max())
    assert first.gain[5][0] == pytest.approx(found.random[5] - first.regret[5])
    text = markdown(STUDY, found)
    assert "12 networks retrained, 24 trainings" in text and f"| supernet 0 | {first.tau[0]:.2f} (" in text
    assert f"| 22 | {1000 + 22 % 7:,} | 220 |" in text


def test_networks_are_taken_from_all_over_the_order():
    scores = np.random.default_rng(1).permutation(60).astype(float)
    assert scores[backbone.spread(scores.tolist(), 20)].tolist() == [3.0 * i + 1 for i in range(20)]


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A context without data or networks, and the trainings that are asked of it: (name, seed, architecture)."""
    asked: list[tuple[str, int]] = []

    def retrain(factory, run, seed, device, save_every, job):
        asked.append((job.name, job.seed))
        if len(asked) == 3:
            raise KeyboardInterrupt
        failed = {"error": "diverged"} if job.name == "candidate 1" else {}
        scores = {"AP": 0.5 + 0.1 * job.seed}
        row = {
            "name": job.name,
            "kind": job.kind,
            "seed": job.seed,
            "arch": labels(SPACE, job.arch),
            "val": scores,
            "test": scores,
            "seconds": 1.0,
        }
        return {**row, "cost": {"macs": 10, "params": 5}, **failed}, []

    @contextmanager
    def context_in(path, settings):
        yield SimpleNamespace(
            task=SimpleNamespace(space=SPACE, objectives=[SimpleNamespace(name="AP")]),
            feasible=lambda arch: arch["width"] > 0,
            folder=SimpleNamespace(
                path=path,
                log=lambda name: Jsonl(path / name),
                append_retrained=lambda row: Jsonl(path / "retrained.jsonl").append(row),
            ),
            progress=SimpleNamespace(say=lambda text: None),
            constraints=[Constraint("macs", upper=1)],
            **dict.fromkeys(("factory", "seed", "device", "save_every")),
        )

    monkeypatch.setattr("common.stages.workers.retrain", retrain)
    monkeypatch.setattr(backbone, "context_in", context_in)
    return tmp_path, asked


def test_finished_trainings_are_not_done_again(alone):
    folder, asked = alone
    wanted = [(number, seed) for seed in range(2) for number in range(3)]
    with pytest.raises(KeyboardInterrupt):
        backbone.trained(folder, STUDY.settings, wanted, 8)
    assert len(Jsonl(folder / "retrained.jsonl").rows()) == 2
    found = backbone.trained(folder, STUDY.settings, wanted, 8)
    assert len(asked) == 7
    assert asked.count(("candidate 0", 0)) == 1 and asked.count(("candidate 2", 0)) == 2
    assert sorted(found) == [(0, 0), (0, 1), (2, 0), (2, 1)]  # candidate 1 diverged
    assert found[2, 1] == Trained(val=0.6, test=0.6, macs=10, params=5, seconds=1.0)
    backbone.trained(folder, STUDY.settings, wanted, 8)
    assert len(asked) == 7


def test_candidates_keep_the_budget_and_do_not_depend_on_their_number(alone):
    folder, _ = alone
    with backbone.context_in(folder, STUDY.settings) as context:
        few, many = backbone.candidates(context, 4), backbone.candidates(context, 9)
    assert many[:4] == few and len(set(many)) == 9
    assert all(arch["width"] > 0 for arch in many)
    with pytest.raises(UserError, match="9 architectures keep the budget, and 10 are asked for"):
        backbone.candidates(context, 10)


def test_studies_copy_no_weights_and_train_every_option_for_longer():
    for study in (make() for make in STUDIES.values()):
        s = study.settings
        assert s.warm_up.steps == 0 and s.detect.paths == s.pretrain.paths == "fair"
        assert s.detect.steps > s.retrain_detect.steps
        assert s.budget


def test_no_trainings_at_all_are_refused(capsys):
    with pytest.raises(SystemExit):
        backbone.parsed(["--study", "mobile", "--out", "x", "--seeds", "0"])
    assert "--seeds is at least 1" in capsys.readouterr().err
