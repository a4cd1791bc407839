"""Retraining: what was found, random architectures and the hand-made one, alone and alike, anew or from shared weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from common.arch import labels
from common.errors import UserError
from common.search.base import MOST_DRAWS, Unseen
from common.space import Arch
from common.stages.context import Context, Named, constraint_text
from common.stages.settings import RetrainSettings
from common.stages.workers import Job, retrain
from common.streams import stream

if TYPE_CHECKING:
    from pathlib import Path

    from common.task import Outside, Task

Inherited = Callable[[Context, Sequence[Arch]], Mapping[Arch, Mapping[str, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomArchs:
    """Which random architectures what was found is compared with."""

    allowed: Callable[[Arch], bool] | None = None
    """Which they may be, besides keeping the constraints: see `avoiding`. Any by default."""
    alike: Callable[[Arch, Random], Arch] | None = None
    """(what was found, rng) -> a random architecture of the same form; by default any of the space, uniformly."""
    share: float = 0.0
    """Of every upper constraint, what they cost at least."""

    def of(self, context: Context, winner: Arch, known: Sequence[Arch], rng: Random) -> Iterator[Arch]:
        """Draws them one after the other, each once and none of those known, until no more are found."""

        def allowed(arch: Arch) -> bool:
            return (self.allowed is None or self.allowed(arch)) and context.feasible(arch) and not self._cheap(context, arch)

        unseen = Unseen(context.task.space, allowed, constraint_text(context.constraints))
        for arch in known:
            unseen.add(arch)
        while (arch := self._drawn(unseen, winner, rng)) is not None:
            yield arch

    def _cheap(self, context: Context, arch: Arch) -> bool:
        """Whether an architecture costs less than the share of a constraint."""
        if not self.share:
            return False
        costs = context.task.costs(arch)
        return any(rule.upper is not None and costs[rule.metric] < self.share * rule.upper for rule in context.constraints)

    def _drawn(self, unseen: Unseen, winner: Arch, rng: Random) -> Arch | None:
        if self.alike is None:
            return unseen.sample(rng)
        drawn = (self.alike(winner, rng) for _ in range(MOST_DRAWS))
        return next((arch for arch in drawn if unseen.take(arch)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrain:
    """Trains the winner, random architectures and the hand-made baseline alone, with equal budget and the same seeds."""

    settings: RetrainSettings
    search: Named
    """Stage whose architecture is the winner."""
    inherited: Inherited | None = None
    """Gives the scores of the same architectures under the search's own weights, for the rank correlation."""
    random: RandomArchs = RandomArchs()
    """Draws the random architectures."""
    others: Mapping[str, Arch] = field(default_factory=dict)
    """Hand-made architectures besides the baseline, by name."""
    outside: Callable[[Arch], Mapping[str, Outside]] | None = None
    """Gives networks outside of the space, of what was found, by name."""
    beside: Mapping[str, Named] = field(default_factory=dict)
    """Stages whose architectures are to be beaten too, by name."""
    tuned: Named | None = None
    """Stage that chose settings for each network (`common.stages.tune`). `None`: the task's own settings."""
    start: Callable[[Context], Path] | None = None
    """Gives the weights of the supernet that every network begins with, each its own part of them; anew by default."""
    otherwise: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What was found once more, always anew, with overrides of settings, by the name of its row."""
    name: str = "retrain"
    parallel: ClassVar[bool] = True

    def run(self, context: Context) -> Mapping[str, object]:
        """Trains what is not trained yet, one network after the other on each worker; rows are written in a fixed order."""
        task, folder = context.task, context.folder
        rivals = self.rivals(context)
        outside = {} if self.outside is None else self.outside(rivals[0][2])
        if taken := {*self.otherwise, *outside} & {name for name, _, _ in rivals}:
            raise ValueError(f"{sorted(taken)}: another network has that name, and its files")
        drawn, wanted = sum(kind == "random" for _, kind, _ in rivals), self.settings.random_archs
        if drawn < wanted:
            context.progress.say(f"note: {drawn} of {wanted} random architectures to compare with: no more keep the budget")
        chosen: Any = {} if self.tuned is None else folder.result_of(self.tuned.name, "chosen")
        start = None if self.start is None else self.start(context)
        jobs: list[Job] = []
        for seed in range(self.settings.seeds):
            for name, kind, arch in rivals:
                jobs.append(Job(name=name, kind=kind, arch=arch, seed=seed, overrides=tuple(chosen.get(name, ())), start=start))
            jobs += [
                Job(name=name, kind="baseline", arch=Arch({}), seed=seed, outside=network) for name, network in outside.items()
            ]
            for name, overrides in self.otherwise.items():
                jobs.append(Job(name=name, kind="reference", arch=rivals[0][2], seed=seed, overrides=overrides))
        done = {(row["name"], row["seed"]) for row in folder.log("retrained.jsonl").rows()}
        left = [job for job in jobs if (job.name, job.seed) not in done]
        inherited = {} if self.inherited is None else self.inherited(context, [arch for _, _, arch in rivals])
        train = partial(retrain, context.factory, folder.path, context.seed, context.device, context.save_every)
        metric = task.objectives[0].name
        with context.progress.stage(self.name, len(jobs), len(jobs) - len(left)) as bar:
            for job, (row, curve) in zip(left, context.pool.map(train, left), strict=True):
                for point in curve:
                    folder.append_metrics(point["stage"], point["step"], point["values"])
                shared = {} if job.kind == "reference" else dict(inherited.get(job.arch, {}))
                folder.append_retrained({**row, "inherited": shared})
                outcome = "failed" if "error" in row else f"test {metric} {row['test'][metric]:.3f}"
                bar.advance(1, note=f"{job.name} #{job.seed}: {outcome}")
        few = {"random": f"{drawn} of {wanted}, no more keep the budget"} if drawn < wanted else {}
        return {"networks": len(rivals) + len(outside), "seeds": self.settings.seeds, **few}

    def rivals(self, context: Context) -> list[tuple[str, str, Arch]]:
        """Name, kind and architecture of every network: the winner, random ones, and those made by hand."""
        winner = context.found(self.search)
        known = (winner, context.task.baseline, *self.others.values())
        drawn = self.random.of(context, winner, known, stream(context.seed, "rivals"))
        random = [(f"random {i}", "random", arch) for i, arch in enumerate(islice(drawn, self.settings.random_archs), 1)]
        beside = [(name, "baseline", context.found(stage)) for name, stage in self.beside.items()]
        others = [(name, "baseline", arch) for name, arch in self.others.items()]
        return [("searched", "searched", winner), *random, *beside, ("baseline", "baseline", context.task.baseline), *others]


def avoiding(space: Any, forbidden: Collection[str]) -> Callable[[Arch], bool]:
    """Whether an architecture takes none of some options: random ones are then as free of them as what a search derives.

    Args:
        space: of the architectures.
        forbidden: labels of options.
    """
    unwanted = frozenset(forbidden)
    return lambda arch: unwanted.isdisjoint(labels(space, arch).values())


def winner_row(rows: Sequence[Mapping[str, Any]], task: Task) -> Mapping[str, Any]:
    """The searched network's training with the best validation score.

    Raises:
        UserError: it diverged under every seed.
    """
    objective = task.objectives[0]
    sign = 1 if objective.direction == "max" else -1
    searched = [row for row in rows if row["kind"] == "searched" and objective.name in row["val"]]
    if not searched:
        why = next((row["error"] for row in rows if row["kind"] == "searched" and "error" in row), "it was never trained")
        raise UserError(f"the searched network has no training to export: {why}; start a new run with other settings")
    return max(searched, key=lambda row: (sign * row["val"][objective.name], -row["seed"]))
