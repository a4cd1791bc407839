"""The search stage: weights and architecture trained in turn, then the strongest architecture that keeps the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from common.arch import labels
from common.differentiable.abandoning import Abandoning, flops_of_abandoning
from common.differentiable.deriving import derive_arch
from common.differentiable.dropping import Dropping, Pruning, Shrinking, keep_strongest
from common.differentiable.flops import flops_of_search, operations
from common.differentiable.freezing import Freezing
from common.differentiable.projecting import Projecting
from common.differentiable.strategies import Penalties, feasible_of, penalty_of, relaxation_of, rule_of, stop_rule_of
from common.differentiable.watch import Watch
from common.engines import Gradient
from common.engines.dropping import AbandonSettings, GrowSettings
from common.errors import UserError, shown
from common.paired import Paired
from common.relax.credit import indicator
from common.relax.score_function import ScoreFunction
from common.run.checkpoint import save_weights
from common.run.files import write_json
from common.space import Arch
from common.stages.context import Context, Named
from common.streams import derive
from common.supernet import Supernet, recalibrate
from common.supernet.recalibrate import kept_statistics
from common.train.alternate import Alternation
from common.train.fit import fit, total_loss
from common.train.optim import make_clip, make_optimizer, make_schedule
from common.train.sampled import SampledPaths
from common.train.step import Losses, Step

if TYPE_CHECKING:
    from torch import nn

    from common.relax.relaxation import Relaxation
    from common.task import Task

LOG_EVERY = 5
"""Steps between two rows of the loss curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxedSearch:
    """A differentiable search on the task's supernet.

    The task's first phase of kind `relaxed` trains the weights; the architecture learns from batches of the second, with its
    loss.

    Attributes:
        settings: of the search.
        name: of the stage.
        grow: what is particular to this one of several searches in a row.
        before: the search before it, which says what options are left.
    """

    settings: Gradient
    name: str = "search"
    grow: GrowSettings | None = None
    before: Named | None = None
    parallel: ClassVar[bool] = False

    def run(self, context: Context) -> Mapping[str, object]:
        """Searches; gives the architecture found, how sure the search was, and when it stopped.

        Raises:
            UserError: the task has no two phases of kind `relaxed`, or a decision cannot be mixed, or nothing keeps the budget.
        """
        s = self.settings
        penalties = penalty_of(s, context)
        task, alternation = self._begun(context, penalties)
        relaxation, steps, weights = alternation.relaxation, alternation.steps, task.phases("relaxed")[0]
        dropping = dropping_of(s, alternation, task)

        def derived() -> Arch:
            settled = isinstance(dropping, Pruning) or (isinstance(dropping, Projecting) and dropping.finished())
            return dropping.left() if dropping is not None and settled else derive_arch(s, relaxation).arch

        watch = Watch(
            relaxation=relaxation,
            rule=stop_rule_of(s, task.space),
            derived=derived,
            count=s.snapshots,
            steps=steps,
            begin=s.arch.learning(steps).start,
            score=partial(score_of, task, alternation, s.scored) if s.scored else None,
        )
        checkpoint = context.folder.checkpoint(self.name)
        saved = checkpoint.load()
        with context.progress.stage(self.name, steps, saved.step if saved else 0) as bar:

            def observe(step: int, values: Mapping[str, float]) -> None:
                seen: dict[str, float] = {**values, **alternation.observed, **watch.observed}
                if dropping is not None:
                    seen["options"] = dropping.options()
                if step % LOG_EVERY == 0 or watch.looked or step + 1 == steps:
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
                    *(one for one in (alternation, penalties, freezing_of(s, alternation), dropping, watch) if one is not None),
                ],
                checkpoint=checkpoint,
                save_every=context.save_every,
                clip=make_clip(weights.settings.optim),
                observe=observe,
            )
        arch, found = self._found(context, relaxation, dropping, derived)
        self._write(context, relaxation, watch)
        return {
            "steps": steps,
            "made": watch.made(),
            "snapshots": len(watch.history),
            "stopped": watch.ended(),
            "last": last,
            "arch": labels(task.space, arch),
            **found,
            **({"kept": keep_strongest(relaxation, self.grow.keep, s.forbidden)} if self.grow else {}),
            **({"sequence": dropping.sequence} if isinstance(dropping, Pruning) else {}),
            **({"abandoned": dropping.rounds, "sampled": dropping.samples} if isinstance(dropping, Abandoning) else {}),
            **({"by_size": watch.by_size()} if s.scored else {}),
        }

    def flops(self, context: Context) -> float:
        """Floating-point operations of the search, which is done: of its steps, and of the scorings of the search network.

        Raises:
            UserError: its result does not say how many steps it made, or what it abandoned.
        """
        task, alternation = self._begun(context, penalty_of(self.settings, context))
        s, freezing = self.settings, freezing_of(self.settings, alternation)
        loss = task.phases("relaxed")[0].loss
        scoring = s.project is not None or s.abandon is not None
        dropping = dropping_of(s, alternation, task) if scoring else None
        if isinstance(dropping, Abandoning):
            file = str(context.folder.path / "stages.jsonl")
            return flops_of_abandoning(alternation, loss, dropping, context.folder.result(self.name), file)
        made = self._told(context, "made", alternation.steps)
        total = flops_of_search(alternation, loss, made, None if freezing is None else freezing.gradients)
        if s.scored:
            snapshots = self._told(context, "snapshots", alternation.steps)
            total += snapshots * operations(partial(score_of, task, alternation, s.scored))
        if isinstance(dropping, Projecting):
            total += dropping.scorings() * operations(dropping.score)
        return total

    def _told(self, context: Context, name: str, most: int) -> int:
        """A number of steps in the result."""
        value = context.folder.result(self.name).get(name)
        if type(value) is not int or not 1 <= value <= most:
            file = context.folder.path / "stages.jsonl"
            raise UserError(
                f"{file}: in the result of stage {self.name!r} {name} is {shown(value)}, not a number of steps; restore the file"
            )
        return value

    def _begun(self, context: Context, penalties: Penalties | None) -> tuple[Task, Alternation]:
        """The task of the search and its parts, before the first step."""
        task = context.task.variant(self.grow.overrides) if self.grow else context.task
        seed = derive(context.seed, self.name) if self.before else context.seed
        alternation = alternation_of(self.settings, task, seed, context.device, penalties)
        if self.before is not None:
            relaxation = alternation.relaxation
            for path, left in context.folder.result_of(self.before.name, "kept").items():
                relaxation.drop(path, [i for i, name in enumerate(relaxation.decision(path).labels) if name not in left])
        return task, alternation

    def _found(
        self, context: Context, relaxation: Relaxation, dropping: Dropping | None, derived: Callable[[], Arch]
    ) -> tuple[Arch, dict[str, object]]:
        if not context.constraints:
            return derived(), {}
        if isinstance(dropping, Pruning):
            return dropping.within(context.feasible), {}
        feasible = feasible_of(context.task.networks, context.constraints, context.feasible)
        found = derive_arch(self.settings, relaxation, feasible)
        return found.arch, {"score": found.score, "proven": found.proven}

    def _write(self, context: Context, relaxation: Relaxation, watch: Watch) -> None:
        target = context.weights(self.name)
        target.parent.mkdir(exist_ok=True)
        save_weights(target, relaxation.supernet.module)
        strengths = {path: values.tolist() for path, values in relaxation.strengths().items()}
        write_json(context.folder.path / "strengths.json", strengths)
        write_json(context.folder.path / "snapshots.json", [asdict(snapshot) for snapshot in watch.history])


def score_of(task: Task, alternation: Alternation, items: int) -> float:
    """The first objective of the search network, without noise, on so many validation items; higher is better."""
    alternation.relaxation.mix(0, 1.0, frozen=True, smoothed=False)
    return _score(task, alternation.relaxation.supernet.module, items)


def calibrated_score(task: Task, network: nn.Module, settings: AbandonSettings) -> float:
    """The same with normalisations for this sub-network: the running ones are of those that were trained before it."""
    with kept_statistics(network):
        if settings.calibration_batches and (calibration := task.calibration) is not None:
            batches = calibration.batches(settings.calibration_batches, settings.calibration_batch)
            recalibrate(network, batches, calibration.forward)
        return _score(task, network, settings.items)


def _score(task: Task, network: nn.Module, items: int) -> float:
    """The first objective of a network as it is set, on so many validation items; higher is better."""
    network.eval()
    with torch.no_grad(), torch.random.fork_rng([]):
        score = task.metrics(network, "val", items)[task.objectives[0].name]
    network.train()
    return -task.objectives[0].loss(score)


def freezing_of(settings: Gradient, alternation: Alternation) -> Freezing | None:
    """Who stops options from learning, if anyone does."""
    if settings.freeze is None:
        return None

    def loss(step: Step) -> Tensor:
        return total_loss(alternation.model(alternation.search_batch(step.number), step))

    return Freezing(settings=settings.freeze, supernet=alternation.relaxation.supernet.module, loss=loss)


def dropping_of(settings: Gradient, alternation: Alternation, task: Task) -> Dropping | None:
    """Who drops options in the course of the search, if anyone does; a price of members joins the architecture's loss."""
    relaxation, steps = alternation.relaxation, alternation.steps
    if settings.shrink is not None:
        return Shrinking(relaxation=relaxation, steps=steps, settings=settings.shrink, forbidden=settings.forbidden)
    if settings.project is not None:
        return Projecting(
            relaxation=relaxation,
            steps=steps,
            settings=settings.project,
            score=partial(_loss_of, task, alternation, settings.project.items),
            seed=alternation.seed,
            forbidden=settings.forbidden,
        )
    if settings.abandon is not None:
        return Abandoning(
            relaxation=relaxation,
            steps=steps,
            settings=settings.abandon,
            score=partial(_score_alone, task, relaxation.supernet.module, settings.abandon),
            seed=alternation.seed,
            forbidden=settings.forbidden,
        )
    if settings.prune is None:
        return None
    assert task.networks.price is not None  # `common.stages.option_checks` refuses such systems
    priced = task.networks.price("macs")
    assert priced is not None
    pruning = Pruning(relaxation=relaxation, steps=steps, settings=settings.prune, price=priced[0])
    others = alternation.penalty
    alternation.penalty = lambda p, done: {**({} if others is None else others(p, done)), **pruning.penalty(p, done)}
    return pruning


def _loss_of(task: Task, alternation: Alternation, items: int) -> float:
    return -score_of(task, alternation, items)


def _score_alone(task: Task, network: nn.Module, settings: AbandonSettings) -> float:
    """The score of a sub-network, or that of CP-NAS of the sub-networks of a pair."""
    if settings.parent is None:
        return calibrated_score(task, network, settings)
    assert isinstance(network, Paired)  # `common.stages.abandon_checks` refuses others
    child, parent = (calibrated_score(task, one, settings) for one in (network.child, network.parent))
    return indicator(child, parent, settings.parent)


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
