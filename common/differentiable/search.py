"""The search stage: weights and architecture trained in turn, then the strongest architecture that keeps the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from common.arch import labels
from common.differentiable.strategies import Penalties, feasible_of, penalty_of, relaxation_of, rule_of, stop_rule_of
from common.engines import Gradient
from common.errors import UserError
from common.relax.discretise import discretise, discretise_within
from common.relax.monitor import Snapshot, StopRule, entropy, share
from common.relax.score_function import ScoreFunction
from common.run.checkpoint import save_weights
from common.run.files import write_json
from common.space import Arch
from common.stages.context import Context
from common.streams import derive
from common.supernet import Supernet
from common.train.alternate import Alternation
from common.train.fit import fit
from common.train.optim import make_clip, make_optimizer, make_schedule
from common.train.sampled import SampledPaths
from common.train.step import Losses, Participant, Step

if TYPE_CHECKING:
    from common.relax.relaxation import Relaxation
    from common.task import Task

LOG_EVERY = 5
"""Steps between two rows of the loss curve."""
SKIP = "skip_connect"
"""The option whose share tells a collapse, where a space has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxedSearch:
    """A differentiable search on the task's supernet.

    The task's first phase of kind `relaxed` trains the weights; the architecture learns from batches of the second, with its
    loss.
    """

    settings: Gradient
    name: str = "search"
    parallel: ClassVar[bool] = False

    def run(self, context: Context) -> Mapping[str, object]:
        """Searches; gives the architecture found, how sure the search was, and when it stopped.

        Raises:
            UserError: the task has no two phases of kind `relaxed`, or a decision cannot be mixed, or nothing keeps the budget.
        """
        s, task = self.settings, context.task
        penalties = penalty_of(s, context)
        alternation = alternation_of(s, task, context.seed, context.device, penalties)
        relaxation, steps, weights = alternation.relaxation, alternation.steps, task.phases("relaxed")[0]
        watch = Watch(
            relaxation=relaxation,
            rule=stop_rule_of(s),
            derived=lambda: self._derived(context, relaxation),
            every=max(1, steps // s.snapshots),
            steps=steps,
        )
        checkpoint = context.folder.checkpoint(self.name)
        saved = checkpoint.load()
        with context.progress.stage(self.name, steps, saved.step if saved else 0) as bar:

            def observe(step: int, values: Mapping[str, float]) -> None:
                seen: dict[str, float] = {**values, **alternation.observed, **watch.observed}
                if step % LOG_EVERY == 0 or watch.observed or step + 1 == steps:
                    context.folder.append_metrics(self.name, step, seen)
                bar.advance(1, loss=values["loss"])

            last = fit(
                Losses(alternation.model.network, weights.loss),
                batch_at=alternation.train_batch,
                optimizer=alternation.weights,
                schedule=make_schedule(weights.settings.optim),
                steps=steps,
                seed=alternation.seed,
                participants=[
                    SampledPaths(
                        supernet=relaxation.supernet, policy=None, optimizer=alternation.weights, model=relaxation.supernet.module
                    ),
                    alternation,
                    *([] if penalties is None else [penalties]),
                    watch,
                ],
                checkpoint=checkpoint,
                save_every=context.save_every,
                clip=make_clip(weights.settings.optim),
                observe=observe,
            )
        arch, found = self._found(context, relaxation)
        target = context.weights(self.name)
        target.parent.mkdir(exist_ok=True)
        save_weights(target, relaxation.supernet.module)
        strengths = {path: values.tolist() for path, values in relaxation.strengths().items()}
        write_json(context.folder.path / "strengths.json", strengths)
        history = [asdict(snapshot) for snapshot in watch.history]
        write_json(context.folder.path / "snapshots.json", history)
        return {
            "steps": steps,
            "snapshots": len(history),
            "stopped": watch.ended(),
            "last": last,
            "arch": labels(task.space, arch),
            **found,
        }

    def _derived(self, context: Context, relaxation: Relaxation) -> Arch:
        return discretise(context.task.space, relaxation.strengths(), set(self.settings.forbidden), self.settings.threshold)

    def _found(self, context: Context, relaxation: Relaxation) -> tuple[Arch, dict[str, object]]:
        if not context.constraints:
            return self._derived(context, relaxation), {}
        s = self.settings
        found = discretise_within(context.task.space, relaxation.strengths(), feasible_of(context), set(s.forbidden), s.threshold)
        return found.arch, {"score": found.score, "proven": found.proven}


def alternation_of(
    settings: Gradient, task: Task, seed: int, device: str = "cpu", penalties: Penalties | None = None
) -> Alternation:
    """The task's supernet, relaxed, with both of its optimisers, before the first step.

    Args:
        settings: of the search.
        task: the first of its two phases of kind `relaxed` trains the weights; the architecture learns from the second's batches.
        seed: of everything random.
        device: where the supernet is.
        penalties: what is added to the architecture's loss.

    Raises:
        UserError: the task has no two phases of kind `relaxed`, or a decision cannot be mixed.
    """
    phases = task.phases("relaxed")
    if len(phases) != 2:
        raise UserError(f"a differentiable search takes two phases, of weights and of architecture, not {len(phases)}")
    weights, architecture = phases
    supernet = Supernet(task.supernet(derive(seed, "supernet")).to(device), task.space)
    of_batches = derive(seed, "supernet", weights.name)
    model = weights.wrap(supernet.module, of_batches).to(device)
    return Alternation(
        relaxation=relaxation_of(settings, supernet, derive(seed, "relaxation")),
        model=Losses(model, architecture.loss),
        train_batch=lambda step: weights.batch_at(step, of_batches),
        search_batch=lambda step: architecture.batch_at(step, of_batches),
        rule=rule_of(settings),
        settings=settings.arch,
        weights=make_optimizer(model, weights.settings.optim),
        steps=weights.settings.steps,
        seed=of_batches,
        penalty=penalties,
        after_step=None if penalties is None else penalties.ascend,
        score=None if settings.reward is None else ScoreFunction(reward=settings.reward),
    )


@dataclass(slots=True, kw_only=True)
class Watch(Participant):
    """Takes snapshots of the architecture, and ends the search where a rule says so.

    Attributes:
        relaxation: what is watched.
        rule: when the search ends early, if it may.
        derived: gives the architecture that would be derived now.
        every: steps between snapshots; the last step has one too.
        steps: of the search.
        history: the snapshots.
        observed: what the latest step's snapshot gives the report to plot; empty after a step without one.
    """

    name: ClassVar[str] = "snapshots"
    relaxation: Relaxation
    rule: StopRule | None
    derived: Callable[[], Arch]
    every: int
    steps: int
    history: list[Snapshot] = field(default_factory=list)
    observed: dict[str, float] = field(default_factory=dict, init=False)
    _over: bool = field(default=False, init=False)

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """Adds a snapshot, if it is due."""
        self.observed = {}
        if (step.number + 1) % self.every and step.number + 1 != self.steps:
            return
        strengths = self.relaxation.labelled()
        self.history.append(Snapshot(strengths=strengths, derived=labels(self.relaxation.supernet.space, self.derived())))
        self._judge()
        if all(abs(sum(options.values()) - 1) < 1e-3 for options in strengths.values()):
            self.observed["entropy"] = entropy(strengths).share
        if any(SKIP in options for options in strengths.values()):
            self.observed["skip_share"] = share(strengths, SKIP, without=("none",))

    def ended(self) -> bool:
        """Whether the stop rule says so; asked at every step, and only snapshots change it."""
        return self._over

    def _judge(self) -> None:
        self._over = self.rule is not None and self.rule.stops(self.history)

    def state(self) -> Mapping[str, Any]:
        """The snapshots."""
        return {"history": [asdict(snapshot) for snapshot in self.history]}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.history = [Snapshot(**row) for row in state["history"]]
        self._judge()
