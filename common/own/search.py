"""One function from a build function to a run folder: search, comparison with random search, retraining, report, export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from common.arch import from_labels
from common.deferred import Deferred
from common.errors import UserError
from common.evaluate.settings import InheritedSettings
from common.objective import Objective
from common.options import RunOptions
from common.overrides import override
from common.own.checks import check_arguments, check_network, check_workers
from common.own.facts import OwnData
from common.own.identity import digest, named, weights_digest
from common.own.network import COSTS, Build, Evaluate, OwnNetwork, TrainStep
from common.own.settings import NetworkSettings
from common.own.system import OwnSystem, has_supernet, networks, phases, stages
from common.reading import Run
from common.run.folder import holds_run
from common.script import device_named
from common.space import Arch, decisions, record
from common.stages.run import folder_of, run
from common.stages.settings import check_trained
from common.system import Method

OBJECTIVES = (Objective("accuracy"), Objective("macs", "min", "MACs"))
CALIBRATION = InheritedSettings().calibration_batch
NO_TEST = (
    "No test function was given: networks are compared on the scores that they were chosen by, which flatters the chosen one."
)
FIRST = "No baseline was given: the architecture of the first option of every decision stands in for it."


def search_network(
    build: Build,
    space: Any,
    evaluate: Evaluate,
    train_step: TrainStep | None = None,
    *,
    inputs: Sequence[Tensor],
    test: Evaluate | None = None,
    objectives: Sequence[Objective] = OBJECTIVES,
    baseline: Mapping[str, object] | None = None,
    weights: Mapping[str, Tensor] | None = None,
    settings: NetworkSettings | None = None,
    overrides: Sequence[str] = (),
    name: str = "network",
    out: str | Path | None = None,
    resume: bool = False,
    workers: int = 0,
    device: str = "auto",
    quiet: bool = False,
) -> Run:
    """Searches an own network and compares what it finds: a run like that of a published system, with the same folder.

    With a train step, a supernet is trained, candidates are evaluated with its weights, random search evaluates as many, and then
    the searched network, random ones and the baseline are trained alone, equally long and with several seeds. Without one,
    `evaluate` trains the network that it is given and then scores it, and `build` never gets an opened description: give
    `settings` with `search=SearchSettings(evaluation=ScratchSettings())`.

    Before anything is written, the functions are tried on a few architectures: see `common.supernet.check` and
    `common.own.checks`.

    Args:
        build: description -> module; it keeps the five rules of a build function (README).
        space: the description with open decisions.
        evaluate: network -> score on validation data, or scores by name. The network is in eval mode, without gradients, and must
            be left as it is; without a train step it is in training mode, fresh, and is trained here.
        train_step: (network, number of the step) -> loss, a tensor of one number. Its batch follows from the number and from
            torch's generator, which is seeded for every step: `rows = torch.randint(len(images), (64,))`.
        inputs: inputs of a network, of one item: `[images[:1]]`. Multiply-adds are counted on them, and they are exported.
        test: as `evaluate`, on test data; by default networks are compared on validation scores, and the report says so.
        objectives: what is searched for; the first is the quality that networks are compared by, and a number that `evaluate`
            gives is its value. `params` and `macs` are known of every network.
        baseline: decision -> option of the hand-made architecture; by default the first option of every decision.
        weights: state dict of the widest network, of a pretrained one say: the supernet begins with it. With
            `settings=NetworkSettings(retrain_from="supernet")` the compared networks begin with their part of the supernet.
        settings: steps, engine, number of candidates, seeds, budget, ...
        overrides: changes of settings by their names in `config.json`: `["supernet.steps=500", "search.trials=30"]`.
        name: of the network in the report and of the default folder.
        out: folder of the run, new or empty; by default the next free one below runs/.
        resume: go on with the run in `out` if there is one.
        workers: processes that evaluate and train; the functions must then lie at the top level of a file. 0 uses this process.
        device: cpu, cuda, cuda:1, ...; auto takes a GPU if there is one. Batches go where the network is:
            `images[rows].to(next(network.parameters()).device)`.
        quiet: print nothing.

    Returns:
        The finished run.

    Raises:
        UserError: an argument, a setting or what a function gives cannot be used; names it and the remedy.
    """
    check_arguments(build, space, evaluate, train_step, inputs, test, weights)
    chosen = _settings(settings, overrides)
    own = OwnNetwork(
        build=build,
        space=space,
        evaluate=evaluate,
        inputs=tuple(x.detach().cpu() for x in inputs),
        train_step=train_step,
        test=test,
        objectives=_objectives(objectives),
        baseline=_baseline(space, baseline),
        weights=weights,
    )
    _check_settings(own, chosen)
    check_workers(own, workers)
    method = Method(name=name, title=name, paper="", authors="", summary="", recipes={"own": NetworkSettings})
    options = RunOptions(out=None if out is None else str(out), resume=False, workers=workers, device=device, quiet=quiet)
    folder = folder_of(options, chosen, method)
    going_on = holds_run(folder)
    if going_on and not resume:
        raise UserError(f"{folder} holds a run; give resume=True to go on with it, or another out")
    if not going_on:
        check_network(own, shared=has_supernet(chosen), device=device_named(device), seed=chosen.seed)
    notes = [*([] if test else [NO_TEST]), *([] if baseline else [FIRST]), *_batched(own.inputs)]
    system = _system(own, method, notes)
    options = RunOptions(out=str(folder), resume=going_on, workers=workers, device=device, quiet=quiet)
    run(system, method, chosen, options, again=f"run the script again with resume=True and out={str(folder)!r}")
    return Run(folder, build=build, space=space)


def _settings(settings: NetworkSettings | None, overrides: Sequence[str]) -> NetworkSettings:
    if not isinstance(settings, NetworkSettings | None):
        raise UserError(f"settings is a {type(settings).__name__}; give NetworkSettings(...), or names and values as overrides")
    if isinstance(overrides, str):
        raise UserError(f"overrides is the text {overrides!r}; give a list: [{overrides!r}]")
    return override(settings or NetworkSettings(), overrides)


def _batched(inputs: Sequence[Tensor]) -> list[str]:
    """What to say of inputs that look like a batch of several items."""
    sizes = {x.shape[0] if x.dim() else 1 for x in inputs}
    if len(sizes) > 1 or 1 in sizes:
        return []
    return [
        f"Multiply-adds are those of inputs of {' and '.join(str(tuple(x.shape)) for x in inputs)}: if their first dimension is "
        f"a batch, those of {sizes.pop()} items."
    ]


def _objectives(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    if (
        isinstance(objectives, Objective)
        or not objectives
        or not all(isinstance(objective, Objective) for objective in objectives)
    ):
        raise UserError('objectives: give a list of common.Objective, [Objective("accuracy")] say')
    return tuple(objectives)


def _baseline(space: Any, given: Mapping[str, object] | None) -> Arch:
    if given is None:
        return record(space, lambda path, decision: 0)
    if not isinstance(given, Mapping):
        first = next(iter(decisions(space)))
        raise UserError(f"baseline is a {type(given).__name__}; give a dictionary, decision to option: {{{first!r}: ..., }}")
    return (
        given if isinstance(given, Arch) else from_labels(space, {path: str(value) for path, value in given.items()}, "baseline")
    )


def _check_settings(own: OwnNetwork, settings: NetworkSettings) -> None:
    settings.check_costs(COSTS, "network")
    if own.train_step is not None:
        trained = {"train": settings.train} if settings.retrain_from == "anew" else {}
        check_trained({**({"supernet": settings.supernet} if has_supernet(settings) else {}), **trained}, "network")
    if own.objectives[0].name not in own.scores:
        raise UserError(f"objectives: the first is {own.objectives[0].name!r}, a cost; begin with a score that evaluate gives")
    if own.train_step is None and has_supernet(settings):
        raise UserError(
            "search.evaluation=inherited trains a supernet, which needs train_step; give it, or "
            "settings=NetworkSettings(search=SearchSettings(evaluation=ScratchSettings()))"
        )
    if not has_supernet(settings) and (own.weights is not None or settings.retrain_from == "supernet"):
        what = "retrain_from=supernet" if own.weights is None else "weights"
        raise UserError(
            f"{what}: a run with search.evaluation={settings.search.evaluation.name} trains no supernet; leave it out"
        )
    if own.train_step is None and settings.search.engine.needs_shares:
        raise UserError(
            f"search.engine={settings.search.engine.name} trains candidates for a share of the steps, which needs train_step; "
            "give it, or another engine"
        )
    if getattr(settings.search.evaluation, "calibration_batch", CALIBRATION) != CALIBRATION:
        raise UserError(
            "search.evaluation.calibration_batch: an own network's train_step chooses the batch itself; leave the setting out"
        )
    if getattr(settings.search.evaluation, "images", None) is not None:
        raise UserError("search.evaluation.images: an own network's evaluate chooses its items itself; leave the setting out")


def _system(own: OwnNetwork, method: Method, notes: Sequence[str]) -> OwnSystem:
    functions = {"build": own.build, "evaluate": own.evaluate, "train_step": own.train_step, "test": own.test}
    given = {name: function for name, function in functions.items() if function is not None}
    facts = {
        "inputs": [f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)}" for x in own.inputs],
        "functions": {name: f"{named(function)} {digest(function)}" for name, function in given.items()},
        "baseline": dict(own.baseline),
        **({} if own.weights is None else {"weights": weights_digest(own.weights)}),
    }
    return OwnSystem(
        name=method.name,
        task=Deferred("common.own.task", "OwnTask"),
        settings=NetworkSettings,
        methods=(method,),
        networks=partial(networks, own),
        phases=phases,
        stages=stages,
        build=own.build,
        spaces=partial(dict, {method.name: own.space}),
        example=partial(_example, own),
        notes=partial(_notes, tuple(notes)),
        own=own,
        data=OwnData(facts=facts),
    )


def _notes(notes: Sequence[str], settings: Any) -> Sequence[str]:
    return notes


def _example(own: OwnNetwork, space: str) -> tuple[Tensor, ...]:
    return own.inputs
