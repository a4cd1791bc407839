"""What a differentiable search learnt, as candidates: the derived one first, others by their probabilities, all feasible."""

import json

from common.arch import labels
from common.differentiable.candidates import Candidates
from common.differentiable.search import RelaxedSearch
from common.engines import Gradient, Halving, Problem
from common.evaluate.base import Scores
from common.search.driver import search
from common.space import Arch, enumerate_all, size
from tests.common.stages.toy import TunedToy, opened

TASK = TunedToy()
RELAXED = RelaxedSearch(settings=Gradient(), name="relaxed search")
DERIVED = {"kernels.0": 3, "kernels.1": 3}


def learnt(context, strengths=(0.0, 0.2, 0.3, 0.5)) -> None:
    arch = Arch(DERIVED)
    context.folder.finish(RELAXED.name, {"arch": labels(context.task.space, arch)}, 0.0)
    (context.folder.path / "strengths.json").write_text(json.dumps({path: list(strengths) for path in DERIVED}))


def test_the_derived_one_is_first_and_none_is_twice(tmp_path):
    with opened(tmp_path / "run", TASK) as context:
        learnt(context)
        found = Candidates(of=RELAXED, count=5)(context)
        assert found[0] == Arch(DERIVED) and len(found) == len(set(found)) == 5
        assert Candidates(of=RELAXED, count=5)(context) == found
        everything = Candidates(of=RELAXED, count=size(TASK.space))(context)
        assert everything[:5] == found and len(everything) == 9, "an option without strength is never drawn"
    with opened(tmp_path / "other", TASK, seed=1) as context:
        learnt(context)
        assert Candidates(of=RELAXED, count=5)(context) != found


def test_a_warm_start_comes_before_what_was_learnt(tmp_path):
    warm = [Arch({"kernels.0": i, "kernels.1": 0}) for i in (0, 3)]
    with opened(tmp_path / "run", TASK) as context:
        learnt(context)
        found = Candidates(of=RELAXED, count=5, before=warm)(context)
        assert found[:3] == [*warm, Arch(DERIVED)] and len(found) == 5
    costs = [TASK.costs(arch)["macs"] for arch in warm]
    with opened(tmp_path / "limited", TASK, upper=min(costs)) as context:
        learnt(context)
        found = Candidates(of=RELAXED, count=5, before=warm)(context)
        assert found[:2] == [warm[costs.index(min(costs))], Arch(DERIVED)], "as far as it is feasible"


def test_forbidden_options_are_never_drawn(tmp_path):
    with opened(tmp_path / "run", TASK) as context:
        learnt(context)
        label = labels(TASK.space, Arch({"kernels.0": 2, "kernels.1": 2}))["kernels.0"]
        found = Candidates(of=RELAXED, count=size(TASK.space), forbidden=(label,))(context)
        assert len(found) == 4 and all(2 not in arch.values() for arch in found)


def test_a_search_that_is_sure_gives_few(tmp_path):
    with opened(tmp_path / "run", TASK) as context:
        learnt(context, (0.0, 0.0, 0.0, 1.0))
        assert Candidates(of=RELAXED, count=5)(context) == [Arch(DERIVED)]


def test_constraints_are_kept_by_what_is_drawn(tmp_path):
    with opened(tmp_path / "free", TASK) as context:
        costs = sorted(context.task.costs(arch)["macs"] for arch in enumerate_all(context.task.space))
    upper = costs[len(costs) // 2]
    with opened(tmp_path / "run", TASK, upper=upper) as context:
        learnt(context, (0.4, 0.2, 0.2, 0.2))
        found = Candidates(of=RELAXED, count=6)(context)
        assert len(found) > 2 and all(context.feasible(arch) for arch in found[1:])


def test_halving_begins_with_them(tmp_path):
    with opened(tmp_path / "run", TASK) as context:
        learnt(context)
        given = Candidates(of=RELAXED, count=4)(context)
        engine = Halving(candidates=6, shares=(0.5, 1.0), eta=2)
        problem = Problem(space=TASK.space, objectives=TASK.objectives, baseline=TASK.baseline, first=given)

        def evaluator(archs, fidelity):
            return [Scores(values={"accuracy": float(sum(arch.values()))}) for arch in archs]

        trials = search(engine.searcher(problem), evaluator, budget=9, cost=TASK.costs)
        assert [trial.arch for trial in trials[:4]] == given
        assert [trial.fidelity for trial in trials] == ["0.5"] * 6 + ["full"] * 3
