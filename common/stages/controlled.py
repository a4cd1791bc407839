"""A supernet and a policy over its paths, trained in turn, and the candidates that are sampled from the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from common.engines.controller import Controller
from common.errors import UserError
from common.expression import check, parse
from common.run.checkpoint import load_weights, save_weights
from common.search.policy import Independent, Policy
from common.search.policy_lstm import LSTM
from common.space import Arch
from common.stages.context import Context, constraint_text
from common.stages.gradient_checks import alternating
from common.stages.supernet import build_supernet
from common.stages.training import LOG_EVERY
from common.streams import derive, stream
from common.train.controlled import PolicyPaths
from common.train.fit import fit
from common.train.optim import make_clip, make_optimizer, make_schedule
from common.train.step import Losses, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from common.system_task import SystemTask
    from common.task import Task

POLICY = "policy"
"""Name of the policy's file of weights."""
DRAWS = 200
"""Draws for each candidate wanted, after which those that differ and keep the budget are enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainControlled:
    """Trains the weights by the first of the system's two phases of kind `relaxed`; the policy learns by the second."""

    settings: Controller
    name: str = "supernet and policy"
    parallel: ClassVar[bool] = False

    def run(self, context: Context) -> Mapping[str, object]:
        """Trains, and leaves the weights where those of the last phase of a supernet are, and the policy beside them."""
        task = context.task
        weights, architecture = task.phases("relaxed")
        supernet = build_supernet(task, derive(context.seed, "supernet"), context.device)
        seed = derive(context.seed, "supernet", weights.name)
        model = weights.wrap(supernet.module, seed).to(context.device)
        optimizer = make_optimizer(model, weights.settings.optim)
        policy = policy_of(self.settings, task, context.seed)
        paths = PolicyPaths(
            settings=self.settings,
            policy=policy,
            reward=parse(self.settings.reward),
            supernet=supernet,
            model=Losses(model, architecture.loss),
            batch=lambda number: architecture.batch_at(number, seed),
            costs=task.costs,
            weights=optimizer,
            seed=derive(context.seed, "policy"),
        )
        steps = weights.settings.steps
        checkpoint = context.folder.checkpoint(self.name)
        saved = checkpoint.load()
        with context.progress.stage(self.name, steps, saved.step if saved else 0) as bar:

            def observe(step: int, values: Mapping[str, float]) -> None:
                turn, paths.observed = paths.observed, {}
                if turn or step % LOG_EVERY == 0 or step + 1 == steps:
                    context.folder.append_metrics(self.name, step, {**values, **turn})
                bar.advance(1, loss=values["loss"])

            last = fit(
                Losses(model, weights.loss),
                batch_at=lambda number: weights.batch_at(number, seed),
                optimizer=optimizer,
                schedule=make_schedule(weights.settings.optim),
                steps=steps,
                seed=seed,
                participants=[paths],
                checkpoint=checkpoint,
                save_every=context.save_every,
                clip=make_clip(weights.settings.optim),
                observe=observe,
            )
        weights.finish(supernet.module, model)
        context.weights(POLICY).parent.mkdir(exist_ok=True)
        save_weights(context.weights(trained_phase(task)), supernet.module)
        save_weights(context.weights(POLICY), _parameters_of(policy))
        return {"steps": steps, "last": last}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledCandidates:
    """Candidates of a search: different feasible architectures in the order in which the trained policy draws them.

    Attributes:
        settings: of the search.
        count: how many, at most; fewer where the draws do not differ.
    """

    settings: Controller
    count: int

    def __call__(self, context: Context) -> list[Arch]:
        """Draws.

        Raises:
            UserError: nothing that is drawn keeps the budget.
        """
        policy = policy_of(self.settings, context.task, context.seed)
        load_weights(context.weights(POLICY), _parameters_of(policy))
        policy.moved()
        found: dict[Arch, None] = {}
        for arch in islice(self._draws(policy, context.seed), DRAWS * self.count):
            if context.feasible(arch):
                found[arch] = None
            if len(found) == self.count:
                break
        if 0 < len(found) < self.count:
            context.progress.say(f"note: {len(found)} of {self.count} candidates: the policy draws no more that differ")
        if not found:
            raise UserError(
                f"none of {DRAWS * self.count:,} architectures that the policy draws keeps "
                f"{constraint_text(context.constraints)}; let the cost weigh more in search.engine.reward, or loosen the budget"
            )
        return list(found)

    def _draws(self, policy: Policy, seed: int) -> Iterator[Arch]:
        rng = stream(seed, "candidates")
        while True:
            yield policy.sample(rng).arch


def policy_of(settings: Controller, task: Task, seed: int) -> Policy:
    """The policy of a search, before its first step; a function of the settings, the task's space and the seed."""
    seed = derive(seed, "policy", "begin")
    match settings.policy:
        case "own":
            assert task.networks.policy is not None, "refused by `check_controller`"
            return task.networks.policy(seed)
        case "lstm":
            return LSTM().policy(task.space, seed)
        case "independent":
            return Independent().policy(task.space, seed)


def trained_phase(task: Task) -> str:
    """Name of the phase under which an evaluation with inherited weights looks for those of the supernet."""
    phases = task.phases("supernet") or task.phases("relaxed")[:1]
    return phases[-1].name


def check_controller(engine: Controller, task: SystemTask) -> None:
    """Refuses a search that would fail after work was spent on it, or that would teach its policy nothing.

    Raises:
        UserError: names the setting, the rule and the remedy.
    """
    if len(task.phases("relaxed")) != 2:
        raise UserError(
            f"search.engine=controller: {task.system.name} has no training of a supernet in turn with what chooses its paths; "
            "give another engine, reinforce say"
        )
    weights, _ = alternating(task)
    if weights.settings.stop is not None:
        raise UserError(f"{weights.name}.stop with search.engine=controller: weights are trained for all steps; set it null")
    if (paths := getattr(weights.settings, "paths", "uniform")) != "uniform":
        raise UserError(f"{weights.name}.paths={paths} with search.engine=controller: the policy chooses them; leave it uniform")
    if engine.policy == "own" and task.networks.policy is None:
        raise UserError(f"search.engine.policy=own: {task.system.name} brings no policy; give lstm or independent")
    steps = weights.settings.steps
    turns = sum(engine.due(number, number / steps) for number in range(steps))
    if not turns:
        raise UserError(
            f"search.engine.arch: with begin={engine.arch.begin:g} and every={engine.arch.every} the policy has no turn in "
            f"{steps} steps; give more steps, or lower ones"
        )
    check(parse(engine.reward), terms_of_batch(engine, task), task.costs(task.baseline), "search.engine.reward")


def terms_of_batch(engine: Controller, task: SystemTask) -> list[str]:
    """Names of what training tells of a batch of the policy, from one batch on the untrained supernet."""
    weights, architecture = task.phases("relaxed")
    supernet = build_supernet(task, 0, "cpu")
    model = weights.wrap(supernet.module, 0)
    arch = policy_of(engine, task, 0).sample(Random(0)).arch
    supernet.activate(arch)
    with torch.no_grad(), torch.random.fork_rng([]):
        terms = architecture.loss(model, architecture.batch_at(0, 0), Step(path=arch))
    return [*dict.fromkeys((*terms, "loss"))]


def _parameters_of(policy: Policy) -> nn.ParameterList:
    """The policy's parameters as a module, which shares them."""
    return nn.ParameterList(nn.Parameter(parameter.detach()) for parameter in policy.parameters)
