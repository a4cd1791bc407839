"""Random search at the cost of a differentiable search: random architectures that are trained alone, for as many operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, ClassVar

from common.arch import labels
from common.differentiable.flops import flops_of_training
from common.differentiable.search import RelaxedSearch
from common.engines import Gradient
from common.evaluate.settings import Evaluation, ProxySettings, ScratchSettings
from common.search.given import Given
from common.stages.context import Context, Named
from common.stages.evaluators import evaluator_of
from common.stages.trials import best_trial, run_trials, share_of
from common.streams import derive, stream

if TYPE_CHECKING:
    from common.space import Arch
    from common.stages.retrain import RandomArchs
    from common.stages.settings import SearchSettings

RANDOM = "random search"
"""Name of the stage, and of the network that it finds."""
DIGITS = 6
"""Of the share of the training steps that a candidate gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomAtEqualCost:
    """Random search for as many floating-point operations as a differentiable search took; it gives the best candidate.

    Candidates are trained alone, all for the same share of the steps of `search.evaluation`, and compared on validation items:
    `search.engine.rivals` of them, or more where full trainings of so many cost less than the search.

    Attributes:
        settings: of the search.
        search: stage whose architecture was found; candidates that compare as equals have its form.
        searches: the stages of the search, whose operations are counted.
        random: draws the candidates.
        name: of the stage.
    """

    settings: SearchSettings
    search: Named
    searches: Sequence[Named]
    random: RandomArchs
    name: str = RANDOM
    parallel: ClassVar[bool] = True

    def run(self, context: Context) -> Mapping[str, object]:
        """Trains what is not trained yet; gives the best architecture, and what both searches cost."""
        archs, share, spent, whole = self._planned(context)
        task, evaluation = context.task, self.settings.evaluation
        fidelity = "full" if share == 1 else f"{share:.{DIGITS}f}"
        context.progress.say(
            f"{self.name}: {len(archs)} random architectures share the {spent:.3g} operations of the search: "
            f"{'all' if share == 1 else f'{share:.2%}'} of the steps of a training each"
        )
        given = Given(archs, task.objectives, origin="random")
        trials = run_trials(context, given, evaluator_of(context, evaluation), len(archs), "random.jsonl", self.name, fidelity)
        best = best_trial(trials, task.objectives)
        return {
            "trials": len(trials),
            "share": share,
            "flops": {"search": spent, "random": share * whole},
            "arch": labels(task.space, best.arch),
            "scores": dict(best.scores),
        }

    def _planned(self, context: Context) -> tuple[list[Arch], float, float, float]:
        """Candidates, the share of their trainings, what the search took, and what their full trainings would."""
        engine = self.settings.engine
        assert isinstance(engine, Gradient), "other searches count candidates"
        spent = sum(stage.flops(context) for stage in self.searches if isinstance(stage, RelaxedSearch))
        if engine.derive is not None:
            full = training_flops(context, engine.derive.evaluation)
            spent += sum(share_of(trial) * full(trial.arch) for trial in context.folder.trials("trials.jsonl"))
        full = training_flops(context, self.settings.evaluation)
        archs: list[Arch] = []
        whole = 0.0
        for arch in self.random.of(context, context.found(self.search), (), stream(context.seed, "random at equal cost")):
            if len(archs) >= engine.rivals and whole >= spent:
                break
            archs.append(arch)
            whole += full(arch)
        least = 10**-DIGITS
        share = min(1.0, max(least, floor(spent / whole / least) * least)) if whole else 1.0
        return archs, round(share, DIGITS), spent, whole


def training_flops(context: Context, evaluation: Evaluation) -> Callable[[Arch], float]:
    """Gives the operations of an architecture's full training under an evaluation."""
    assert isinstance(evaluation, ScratchSettings | ProxySettings), "refused before the run"
    task = context.task.variant(evaluation.overrides) if isinstance(evaluation, ProxySettings) else context.task
    cuts, seed = evaluation.cuts, derive(context.seed, "scratch")
    return lambda arch: cuts * flops_of_training(task, arch, seed, context.device)
