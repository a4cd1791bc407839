"""The task of a user's own network: its data are the user's, and are met through `evaluate` and `train_step` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from common.cost.bounds import Least
from common.cost.costs import Counted, tabulated
from common.errors import NotExported, UserError
from common.export import Parity, export_onnx, write_script
from common.network_phase import WholeNetwork
from common.own.network import OwnNetwork, seeded
from common.space import decode
from common.stages.best import Best
from common.stages.reload import OWN
from common.stages.standard import Stages, retrain_of, retrain_stages, search_stages
from common.streams import derive
from common.supernet import opened
from common.system import System
from common.system_task import SystemTask
from common.task import Calibration, Costs, Kind, Networks

if TYPE_CHECKING:
    from common.objective import Objective
    from common.space import Arch
    from common.stages.context import Context
    from common.stages.settings import RunSettings, TrainSettings
    from common.task import SplitName

SCRIPT = '''"""Runs model.onnx, which lies beside this file, on arrays: python use.py INPUT0.npy [INPUT1.npy ...]

Each input is a file that numpy.save wrote. Needs the packages numpy and onnxruntime. Writes output0.npy, output1.npy, ...
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

INPUTS = @INPUTS@  # shapes of the inputs that the network was exported on


def main(files: list[str]) -> None:
    """Runs the network on one array for each input."""
    if len(files) != len(INPUTS):
        sys.exit(f"give {len(INPUTS)} .npy files, one for each input; the network was exported on shapes {INPUTS}")
    session = onnxruntime.InferenceSession(str(Path(__file__).parent / "model.onnx"), providers=["CPUExecutionProvider"])
    arrays = {entry.name: np.load(file, allow_pickle=False) for entry, file in zip(session.get_inputs(), files)}
    for index, output in enumerate(session.run(None, arrays)):
        np.save(f"output{index}.npy", output)
        print(f"output{index}.npy: shape {output.shape}")


if __name__ == "__main__":
    main(sys.argv[1:])
'''


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnFacts:
    """What a run remembers of a user's data: inputs of a network; see `common.task.Facts`.

    Attributes:
        inputs: inputs of a network.
    """

    inputs: tuple[Tensor, ...]

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of a network as it is exported."""
        return self.inputs

    def export(self, network: nn.Module, folder: Path) -> Parity:
        """Writes `model.onnx`, checked against torch, and `use.py`, which runs it on arrays.

        Raises:
            MissingPackages: the packages for it are missing.
            NotExported: torch cannot write the network as ONNX.
            UserError: the numbers disagree.
        """
        try:
            parity = export_onnx(network, [x.to("cpu") for x in self.inputs], folder / "model.onnx")
        except UserError:
            raise
        except Exception as error:  # whatever torch's exporter meets in a network of a user's own
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise NotExported(f"torch cannot write this network as ONNX ({said[0]:.200}); its weights are kept") from error
        write_script(folder, SCRIPT, {"INPUTS": [list(x.shape) for x in self.inputs]})
        return parity

    def predict(self, network: nn.Module, files: Sequence[Path], folder: Path) -> NoReturn:
        """Refused: what files hold is known to the user alone.

        Raises:
            UserError: always.
        """
        raise UserError("predict: a run of an own network knows no files; call Run(folder, build=build).network() in Python")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData:
    """The entry `data` of `config.json`: what the run was given, so that a resumed one is known to be the same.

    Attributes:
        facts: names and digests of the user's functions, shapes of the inputs.
        notes: none.
        skipped: nothing.
    """

    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """The entry."""
        return {"name": "own network", **self.facts, "skipped": [], "notes": list(self.notes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPhase(WholeNetwork):
    """A phase that trains by the user's train step; see `common.task.Phase`.

    Attributes:
        name: of the phase.
        settings: steps and optimiser.
        own: whose train step is called.
    """

    name: str
    settings: TrainSettings
    own: OwnNetwork

    def batch_at(self, step: int, seed: int) -> int:
        """The number of the step: the user's function chooses the batch, from it and from torch's generator."""
        return step

    def loss(self, model: nn.Module, batch: int) -> Mapping[str, Tensor]:
        """What the train step gives."""
        return {"loss": self.own.loss(model, batch)}


class OwnTask(SystemTask):
    """A user's own network as a task; see `common.own.search`."""

    kind = OWN
    facts_of = OwnFacts

    def __init__(self, system: OwnSystem, settings: RunSettings, weights: Path, data: OwnData | None = None) -> None:
        """See `SystemTask`."""
        self.own = system.own
        self._seeds: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
        self._found: WeakKeyDictionary[nn.Module, dict[str, float]] = WeakKeyDictionary()
        super().__init__(system, settings, weights, system.data if data is None else data)

    @staticmethod
    def read(settings: Any) -> OwnData:
        """Never called: the data are the system's."""
        raise AssertionError("an own network reads no data")

    @property
    def facts(self) -> OwnFacts:
        """See `SystemTask.facts`."""
        return OwnFacts(inputs=self.own.inputs)

    @property
    def objectives(self) -> Sequence[Objective]:
        """As the user gave them."""
        return self.own.objectives

    @property
    def scores(self) -> Sequence[str]:
        """See `SystemTask.scores`."""
        return self.own.scores

    @property
    def calibration(self) -> Calibration | None:
        """The train step, run for its forward pass: on the batches of the first steps, whatever their size."""
        if self.own.train_step is None:
            return None
        return Calibration(batches=lambda batches, batch: range(batches), forward=self._calibrate)

    def _calibrate(self, network: nn.Module, step: int) -> None:
        with seeded(derive(self.settings.seed, "calibration", step), network):
            self.own.loss(network, step)

    def supernet(self, seed: int) -> nn.Module:
        """See `SystemTask.supernet`."""
        return self.own.supernet(seed)

    def network(self, arch: Arch, seed: int) -> nn.Module:
        """See `SystemTask.network`."""
        network = super().network(arch, seed)
        self._seeds[network] = seed
        return network

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """What `evaluate` gives, or `test` for the test split where there is one.

        Where `evaluate` trains the network, it is called once for each.
        """
        test = split == "test" and self.own.test is not None
        seed = derive(self.settings.seed, "evaluate", self._seeds.get(network, 0))
        if self.own.train_step is not None or test:
            return self.own.scored(network, test=test, seed=seed)
        if network not in self._found:
            self._found[network] = self.own.scored(network, test=False, seed=seed)
        return self._found[network]

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """None: what predictions look like is known to the user alone."""
        folder.mkdir(exist_ok=True)
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSystem(System):
    """The declaration of a user's own network, made by `common.own.search.search_network`.

    Attributes:
        own: the user's functions.
        data: what `config.json` says of them.
    """

    own: OwnNetwork
    data: OwnData


def networks(own: OwnNetwork, settings: Any, facts: OwnFacts) -> Networks:
    """The networks of a run. Only inherited weights need a `build` that takes opened descriptions."""
    shared = has_supernet(settings)
    return Networks(space=own.space, build=own.built, baseline=own.baseline, costs=costs(own, shared=shared), has_supernet=shared)


def has_supernet(settings: Any) -> bool:
    """Whether a run of these settings builds a supernet."""
    from common.evaluate.settings import needs_supernet

    return needs_supernet(settings.search.evaluation)


def costs(own: OwnNetwork, *, shared: bool) -> Costs:
    """From the supernet's table where there is one, else counted on each network."""
    if shared:
        return tabulated(lambda: own.built(opened(own.space), 0), own.space, own.inputs)
    return CountedOwn(lambda arch: own.built(decode(own.space, arch), 0), lambda: own.inputs, lambda: own.baseline)


class CountedOwn(Counted):
    """Costs of networks that are counted one by one; the least is not known."""

    def least(self, metric: str) -> Least:
        """A bound that holds always: 0."""
        return Least(0, "bound")


def stages(task: OwnTask) -> Stages:
    """The standard stages; networks that are trained alone may begin with their part of the trained supernet."""
    before, search = search_stages(task)
    retrain = retrain_of(task, search)
    if task.settings.retrain_from == "supernet":
        retrain = replace(retrain, start=_trained_supernet)
    return [*before, *retrain_stages(task, retrain), Best(pictures=task.settings.pictures)]


def _trained_supernet(context: Context) -> Path:
    return context.weights("training")


def phases(task: OwnTask, kind: Kind) -> list[OwnPhase]:
    """How networks are trained: by the train step. Without one, `evaluate` trains them."""
    own, settings = task.own, task.settings
    if own.train_step is None or kind == "relaxed":
        return []
    if kind == "supernet":
        return [OwnPhase(name="training", settings=settings.supernet, own=own)]
    return [OwnPhase(name="train", settings=settings.train, own=own)]
