"""Weights that other projects have published: files with a state of tensors, read without running code, loaded strictly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from common.errors import UserError, cut
from common.run.checkpoint import load_exactly, read_weights


def read_state(file: Path, remedy: str) -> dict[str, Tensor]:
    """The tensors of a file by name: a safetensors file, or what `torch.save` wrote of a state, plain or under `state_dict`.

    Args:
        file: what the user gave.
        remedy: what to do instead, for the error.

    Raises:
        UserError: it cannot be read, or holds anything but named tensors.
    """
    try:
        if file.suffix == ".safetensors":
            return read_weights(file)
        found = torch.load(file, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror or cut(str(error))}); {remedy}") from None
    except Exception as error:  # torch, zipfile, pickle and safetensors each have their own for files that hold something else
        raise UserError(f"{file}: holds no weights that can be read ({type(error).__name__}); {remedy}") from None
    state = found.get("state_dict", found) if isinstance(found, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{file}: holds no named tensors; {remedy}")
    return dict(state)


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], source: str, what: str, beyond: Collection[str] = ()) -> None:
    """Gives every parameter and buffer of `module` its value of `state`; counts of batches, which old files lack, apart.

    Args:
        module: changed in place.
        state: values by the module's names.
        source: what to call the values in an error: a file, usually.
        what: what to call the module in an error.
        beyond: names in `state` that the module does without, a classifier's say.

    Raises:
        UserError: a value is missing, of another shape, or is none of the module's; nothing is loaded then.
    """
    counts = {name: value for name, value in module.state_dict().items() if name.endswith("num_batches_tracked")}
    load_exactly(module, {**counts, **{name: value for name, value in state.items() if name not in beyond}}, source, what)
