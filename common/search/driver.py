"""The only search loop: ask, evaluate, tell, log."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence

from common.errors import UserError
from common.objective import Objective
from common.search.base import Evaluator, Number, Proposal, Scores, Searcher, Trial
from common.space import Arch

_log = logging.getLogger(__name__)


def search(
    searcher: Searcher,
    evaluator: Evaluator,
    *,
    budget: int,
    batch: int = 1,
    fidelity: str = "full",
    history: Sequence[Trial] = (),
    log: Callable[[Trial], None] | None = None,
    observe: Callable[[Trial], None] | None = None,
    cost: Callable[[Arch], Mapping[str, Number]] | None = None,
) -> list[Trial]:
    """Evaluates what a fresh `searcher` proposes until there are `budget` trials or the space is exhausted.

    Args:
        searcher: Told nothing yet.
        evaluator: Scores a batch of architectures; a failed one is a failed trial, and the search goes on.
        budget: Trials in all, those of `history` included.
        batch: Most architectures per call of the evaluator; it does not change what is proposed.
        fidelity: Handed to the evaluator and recorded, for proposals that do not ask for one themselves.
        history: The trials of an interrupted run of the same searcher: the search goes on as if it had not been.
        log: Gets every new trial once its batch is evaluated, before the searcher is told: write it down.
        observe: Gets every new trial after that: show it.
        cost: Prices an architecture without evaluating it.

    Returns:
        History and new trials; ids are their positions. Fewer than `budget`, with a warning in the log, when nothing is left.

    Raises:
        UserError: The history is not trials 0, 1, 2, ...; an objective is not measured; no feasible architecture is found.
    """
    trials = list(history)
    for position, trial in enumerate(trials):
        if trial.id != position:
            raise UserError(f"trial history: place {position} holds trial {trial.id}: give all trials in their order")
    searcher.tell(trials)
    while len(trials) < budget:
        proposals = searcher.ask(min(batch, budget - len(trials)))
        if not proposals:
            _log.warning("the space is exhausted after %d of %d trials", len(trials), budget)
            break
        asked = [proposal.fidelity or fidelity for proposal in proposals]
        results = _evaluated(evaluator, [proposal.arch for proposal in proposals], asked)
        new = [
            _trial(len(trials) + i, proposal, scores, at, {} if cost is None else cost(proposal.arch), searcher)
            for i, (proposal, scores, at) in enumerate(zip(proposals, results, asked, strict=True))
        ]
        if log is not None:
            for trial in new:
                log(trial)
        searcher.tell(new)
        trials += new
        if observe is not None:
            for trial in new:
                observe(trial)
    return trials


def evaluate_again(searcher: Searcher, evaluator: Evaluator, trials: Sequence[Trial]) -> list[Trial]:
    """The trials with a second evaluation in the place of their first; ids, parents and origins stay.

    Args:
        searcher: Names the objectives that must be measured.
        evaluator: Scores a batch of architectures.
        trials: Of which each is evaluated at its own fidelity.
    """
    results = _evaluated(evaluator, [trial.arch for trial in trials], [trial.fidelity for trial in trials])
    return [
        _trial(trial.id, _proposal(trial), scores, trial.fidelity, trial.cost, searcher)
        for trial, scores in zip(trials, results, strict=True)
    ]


def _proposal(trial: Trial) -> Proposal:
    return Proposal(arch=trial.arch, parents=trial.parents, origin=trial.origin, fidelity=trial.fidelity)


def _evaluated(evaluator: Evaluator, archs: Sequence[Arch], fidelities: Sequence[str]) -> list[Scores]:
    """One call of the evaluator per fidelity; results in the order of `archs`."""
    results: dict[int, Scores] = {}
    for fidelity in dict.fromkeys(fidelities):
        places = [i for i, other in enumerate(fidelities) if other == fidelity]
        found = evaluator([archs[i] for i in places], fidelity)
        _check(found, len(places))
        results.update(zip(places, found, strict=True))
    return [results[i] for i in range(len(archs))]


def _check(found: object, asked: int) -> None:
    """Refuses what an evaluator of a user's own may give.

    Raises:
        UserError: it is no list, of another length, or holds something else than `Scores`.
    """
    rule = "give a list of one common.search.base.Scores for each architecture, in order"
    if not isinstance(found, list | tuple):
        raise UserError(f"the evaluator gave {type(found).__name__} for {asked} architectures; {rule}")
    if len(found) != asked:
        raise UserError(f"the evaluator gave {len(found)} results for {asked} architectures; {rule}")
    if odd := [value for value in found if not isinstance(value, Scores)]:
        raise UserError(f"the evaluator gave {type(odd[0]).__name__} {odd[0]!r:.60} for an architecture; {rule}")


def _trial(id: int, proposal: Proposal, scores: Scores, fidelity: str, cost: Mapping[str, Number], searcher: Searcher) -> Trial:
    error = scores.error if scores.status == "failed" else _flaw(scores.values, cost, searcher.objectives)
    return Trial(
        id=id,
        arch=proposal.arch,
        scores={} if error else scores.values,
        cost=cost,
        status="failed" if error or scores.status == "failed" else "ok",
        fidelity=fidelity,
        seconds=scores.seconds,
        parents=proposal.parents,
        origin=proposal.origin,
        error=error,
    )


def _flaw(values: Mapping[str, Number], cost: Mapping[str, Number], objectives: Sequence[Objective]) -> str:
    """Why a candidate's values cannot be compared; empty if they can. A diverged candidate must not end a search."""
    for objective in objectives:
        known = values if objective.name in values else cost
        if objective.name not in known:
            names = ", ".join(sorted({*values, *cost})) or "nothing"
            raise UserError(f"objective {objective.name!r} is not measured, only {names}: name one of these")
        if not math.isfinite(known[objective.name]):
            return f"{objective.name} is {known[objective.name]}; a score must be a finite number"
    return ""
