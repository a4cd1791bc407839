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
from common.train.optim import make_optimizer, make_schedule

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
        watch = Watch(alternation=alternation, penalties=penalties, rule=stop_rule_of(s))
        every = max(1, steps // s.snapshots)
        checkpoint = context.folder.checkpoint(self.name)
        saved = checkpoint.load()
        with context.progress.stage(self.name, steps, saved.step if saved else 0) as bar:

            def observe(step: int, values: Mapping[str, float]) -> None:
                seen: dict[str, float] = {**values, **alternation.observed}
                if (step + 1) % every == 0 or step + 1 == steps:
                    seen |= watch.look(relaxation, lambda: self._derived(context, relaxation))
                if step % LOG_EVERY == 0 or len(seen) > len(values) + len(alternation.observed) or step + 1 == steps:
                    context.folder.append_metrics(self.name, step, seen)
                bar.advance(1, loss=values["loss"])

            last = fit(
                alternation.model,
                batch_at=alternation.train_batch,
                loss=weights.loss,
                optimizer=alternation.weights,
                schedule=make_schedule(weights.settings.optim),
                steps=steps,
                seed=alternation.seed,
                checkpoint=checkpoint,
                save_every=context.save_every,
                before_step=alternation.before_step,
                around_step=lambda: relaxation.supernet.idle_protected(alternation.weights),
                side=watch,
                until=watch.ended,
                clip_norm=weights.settings.optim.clip,
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
        model=model,
        loss=architecture.loss,
        train_batch=lambda step: weights.batch_at(step, of_batches),
        search_batch=lambda step: architecture.batch_at(step, of_batches),
        rule=rule_of(settings),
        settings=settings.arch,
        weights=make_optimizer(model, weights.settings.optim),
        steps=weights.settings.steps,
        seed=of_batches,
        penalty=penalties,
        after=None if penalties is None else penalties.ascend,
        score=None if settings.reward is None else ScoreFunction(reward=settings.reward),
    )


@dataclass(slots=True, kw_only=True)
class Watch:
    """What is saved beside the weights: the architecture's part, and what has been seen of it."""

    alternation: Alternation
    penalties: Penalties | None
    rule: StopRule | None
    history: list[Snapshot] = field(default_factory=list)
    _over: bool = field(default=False, init=False)

    def look(self, relaxation: Relaxation, derived: Callable[[], Arch]) -> dict[str, float]:
        """Adds a snapshot; gives what the report plots."""
        strengths = relaxation.labelled()
        arch = labels(relaxation.supernet.space, derived())
        self.history.append(Snapshot(strengths=strengths, derived=arch))
        self._judge()
        seen: dict[str, float] = {}
        if all(abs(sum(options.values()) - 1) < 1e-3 for options in strengths.values()):
            seen["entropy"] = entropy(strengths).share
        if any(SKIP in options for options in strengths.values()):
            seen["skip_share"] = share(strengths, SKIP, without=("none",))
        return seen

    def ended(self) -> bool:
        """Whether the stop rule says so; asked at every step, and only snapshots change it."""
        return self._over

    def _judge(self) -> None:
        self._over = self.rule is not None and self.rule.stops(self.history)

    def tensors(self) -> Mapping[str, Tensor]:
        """The logits, and the multiplier of a budget."""
        named = {f"logits/{name}": value for name, value in self.alternation.tensors().items()}
        prices = {} if self.penalties is None else self.penalties.tensors()
        return named | {f"penalties/{name}": value for name, value in prices.items()}

    def state(self) -> Mapping[str, Any]:
        """The optimiser of the logits, and the snapshots."""
        return {**self.alternation.state(), "history": [asdict(snapshot) for snapshot in self.history]}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""

        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        self.alternation.load(under("logits/"), state)
        if self.penalties is not None:
            self.penalties.load(under("penalties/"))
        self.history = [Snapshot(**row) for row in state["history"]]
        self._judge()
