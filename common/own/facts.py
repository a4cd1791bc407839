"""What a run of an own network remembers of the user's data: inputs of a network, and which functions it was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from torch import Tensor, nn

from common.errors import NotExported, UserError
from common.export import Parity, export_onnx, write_script

SCRIPT = '''"""Runs model.onnx, which lies beside this file, on arrays: python use.py INPUT0.npy [INPUT1.npy ...]

Each input is a file that numpy.save wrote. Needs the packages numpy and onnxruntime. Writes output0.npy, output1.npy, ...
"""

import sys

import numpy as np

INPUTS = @INPUTS@  # shapes of the inputs that the network was exported on


def main(files: list[str]) -> None:
    """Runs the network on one array for each input."""
    if len(files) != len(INPUTS):
        sys.exit(f"give {len(INPUTS)} .npy files, one for each input; the network was exported on shapes {INPUTS}")
    session = open_session()
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
