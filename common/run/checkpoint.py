"""Checkpoints that are whole or not there: weights in safetensors, optimiser state without pickled code.

A checkpoint is a folder written beside the old one and swapped in by renames, so a process killed at any moment leaves one
complete checkpoint. Its `state.json` holds the digest of the other files: a damaged one is refused and never half-loaded.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise

from common.errors import UserError
from common.run.digests import digest_of, read_with_digest, write_with_digest
from common.run.files import disk_errors, read_json, remove_tree, sync, write_new

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

_WEIGHTS, _OPTIMIZER, _STATE = "weights.safetensors", "optimizer.pt", "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a checkpoint holds; tensors are on the CPU."""

    step: int
    tensors: dict[str, Tensor]
    optimizer_state: dict[str, Any]
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint at the folder `path`, saved or not."""

    path: Path

    def save(
        self,
        step: int,
        tensors: Mapping[str, Tensor],
        optimizer_state: Mapping[str, Any],
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Replaces the checkpoint; the previous one stays until the new one is complete on the disk.

        Args:
            step: number of steps done.
            tensors: named tensors of any device.
            optimizer_state: what `optimizer.state_dict()` gives, or a dict of such.
            extra: JSON values.

        Raises:
            UserError: the disk is full or cannot be written; the previous checkpoint is kept.
        """
        self._recover()
        state = io.BytesIO()
        torch.save(dict(optimizer_state), state)
        files = {_WEIGHTS: serialise(_plain(tensors)), _OPTIMIZER: state.getvalue()}
        sums = {name: digest_of(data) for name, data in files.items()}
        files[_STATE] = json.dumps({"step": step, "files": sums, "extra": dict(extra or {})}, indent=2).encode()
        with disk_errors(self.path, "the checkpoint before it, if any, is kept"):
            try:
                self._aside.mkdir(parents=True)
                for name, data in files.items():
                    write_new(self._aside / name, data)
                sync(self._aside)
            except BaseException:
                remove_tree(self._aside)
                raise
            if self.path.exists():
                os.rename(self.path, self._old)
            os.rename(self._aside, self.path)
            sync(self.path.parent)
        remove_tree(self._old)

    def load(self) -> Saved | None:
        """The checkpoint, or None if none was ever completed.

        Raises:
            UserError: a file of it is missing or damaged.
        """
        self._recover()
        if not self.path.is_dir():
            return None
        try:
            state = read_json(self.path / _STATE)
        except UserError:
            raise self._damaged(_STATE) from None
        data = {name: self._read(name, state["files"].get(name, {})) for name in (_WEIGHTS, _OPTIMIZER)}
        try:
            tensors = parse(data[_WEIGHTS])
        except (SafetensorError, ValueError):
            raise self._damaged(_WEIGHTS) from None
        return Saved(step=state["step"], tensors=tensors, optimizer_state=self._optimizer(data), extra=state["extra"])

    def _optimizer(self, data: Mapping[str, bytes]) -> dict[str, Any]:
        try:
            found = torch.load(io.BytesIO(data[_OPTIMIZER]), map_location="cpu", weights_only=True)
        except Exception:  # torch, zipfile and pickle each have their own for files that hold something else
            raise self._damaged(_OPTIMIZER) from None
        if not isinstance(found, dict):
            raise self._damaged(_OPTIMIZER)
        return found

    @property
    def _aside(self) -> Path:
        return self.path.with_name(f"{self.path.name}.new")

    @property
    def _old(self) -> Path:
        return self.path.with_name(f"{self.path.name}.old")

    def _recover(self) -> None:
        """Ends a swap that a kill interrupted: an `.old` without the checkpoint means that the new one was complete."""
        if not self.path.exists() and self._old.exists():
            os.rename(self._aside if self._aside.exists() else self._old, self.path)
        remove_tree(self._aside)
        remove_tree(self._old)

    def _read(self, name: str, recorded: Mapping[str, Any]) -> bytes:
        try:
            data = (self.path / name).read_bytes()
        except OSError:
            raise self._damaged(name) from None
        if digest_of(data)["sha256"] != recorded.get("sha256"):
            raise self._damaged(name)
        return data

    def _damaged(self, name: str) -> UserError:
        return UserError(
            f"{self.path / name} is damaged or missing; delete the folder {self.path} to train this stage again from its "
            "beginning, then run again with --resume"
        )


def save_weights(path: Path, module: nn.Module) -> None:
    """Writes the parameters and buffers of `module` to a safetensors file, atomically, and its digest beside it.

    Raises:
        UserError: the disk is full or cannot be written.
    """
    write_with_digest(path, serialise(_plain(module.state_dict())))


def load_weights(path: Path, module: nn.Module) -> None:
    """Loads what `save_weights` wrote; every name and shape must fit.

    Raises:
        UserError: the file is missing, not what its digest says, no safetensors file, or was written by another network (the
            first misfits are named).
    """
    load_exactly(module, read_weights(path), str(path), f"this {type(module).__name__}")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors that `save_weights` wrote, by their names.

    Raises:
        UserError: the file is missing, not what its digest says, or no safetensors file.
    """
    try:
        return parse(read_with_digest(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a .safetensors file of weights") from None
    except SafetensorError as error:
        raise UserError(f"{path}: not a whole safetensors file ({error}); write or copy it again") from None


def load_exactly(module: nn.Module, tensors: Mapping[str, Tensor], source: str, what: str) -> None:
    """Loads tensors into a module whose names and shapes they all fit; if one does not, nothing is loaded.

    Args:
        module: the module.
        tensors: by their names in the module.
        source: what to call their file in an error.
        what: what to call the module in an error.

    Raises:
        UserError: see `check_fits`.
    """
    check_fits(module, tensors, source, what)
    module.load_state_dict(tensors)


def check_fits(module: nn.Module, tensors: Mapping[str, Tensor], source: str, what: str) -> None:
    """Refuses tensors that are not those of a module; arguments as in `load_exactly`.

    Raises:
        UserError: a tensor is missing, superfluous or of another shape (the first misfits are named).
    """
    wanted = module.state_dict()
    misfits = [f"{name} is missing" for name in wanted if name not in tensors]
    misfits += [f"{name} is not in the network" for name in sorted(tensors) if name not in wanted]
    misfits += [
        f"{name} is {tuple(tensors[name].shape)}, the network has {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if misfits:
        more = f" and {len(misfits) - 3} more" if len(misfits) > 3 else ""
        raise UserError(f"{source} does not fit {what}: {'; '.join(misfits[:3])}{more}; give weights of this architecture")


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """CPU tensors that share no memory, which safetensors refuses: tied weights are stored once per name."""
    seen: set[int] = set()
    plain = {}
    for name, tensor in tensors.items():
        flat = tensor.detach().cpu().contiguous()
        key = flat.untyped_storage().data_ptr()
        plain[name] = flat.clone() if key in seen else flat
        seen.add(key)
    return plain
