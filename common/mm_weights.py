"""Weights of a run in configurations of mm* packages: of a backbone or neck by `init_cfg`, of a whole network by a hook.

A run keeps the weights of its best network in `RUN/best/model.safetensors`. The names of its tensors begin with the part that
they belong to: `net.backbone.`, `net.neck.`, `net.bbox_head.`, `net.decode_head.`. Everything here loads strictly: each tensor of
the part is used and none is missing, or nothing is loaded and the error names the first that do not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from common.errors import UserError, cut, shown
from common.foreign_weights import read_state
from common.run.checkpoint import check_fits, load_exactly, read_weights
from common.run.files import read_json

_USAGE = "init_cfg=dict(type='Pretrained', checkpoint='RUN/best/model.safetensors')"


class Part(nn.Module):
    """A backbone or neck of this package, as a configuration builds it. It has its initial weights once it is built.

    A configuration may give it the weights of a run: `init_cfg=dict(type="Pretrained", checkpoint=FILE)`. FILE is
    `RUN/best/model.safetensors`, or a checkpoint of mmengine's Runner (.pth) whose network has the same part. An entry `prefix`
    names the beginning of the part's tensors where the file has another one. mmengine loads them when a training begins.

    Attributes:
        net: the module that a run trains.
        role: the part of a network that it is.
        init_cfg: as given.
    """

    net: nn.Module
    role: ClassVar[Literal["backbone", "neck"]]

    def __init__(self, init_cfg: Mapping[str, Any] | None) -> None:
        """Keeps `init_cfg`; its file is read by `init_weights`.

        Raises:
            UserError: `init_cfg` names no file, or another way to initialise weights than `Pretrained`.
        """
        super().__init__()
        self.init_cfg = None if init_cfg is None else dict(init_cfg)
        if self.init_cfg is None:
            return
        name, kind = type(self).__name__, self.init_cfg.get("type")
        if "Pretrained" not in (kind, getattr(kind, "__name__", "").removesuffix("Init")):
            raise UserError(
                f"{name}: init_cfg of type {shown(kind)}; its weights are initial already or come from a file: {_USAGE}"
            )
        if odd := self.init_cfg.keys() - {"type", "checkpoint", "prefix", "map_location"}:
            raise UserError(f"{name}: init_cfg has no entry {shown(min(odd))}; give {_USAGE}")
        if not isinstance(self.init_cfg.get("checkpoint"), str):
            raise UserError(f"{name}: init_cfg names no file; give {_USAGE}")

    def init_weights(self) -> None:
        """Loads the weights that `init_cfg` names; without one, weights stay as they are. mmengine calls it.

        Raises:
            UserError: the file is missing or damaged, has no such part, or is of another architecture.
        """
        if self.init_cfg is None:
            return
        path, name = Path(self.init_cfg["checkpoint"]).expanduser(), type(self).__name__
        of_run = path.suffix == ".safetensors"
        tensors = read_state(path, "give RUN/best/model.safetensors, or a checkpoint of mmengine's Runner (.pth)")
        prefix = self.init_cfg.get("prefix") or (f"net.{self.role}." if of_run else f"{self.role}.")
        own = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
        if not own:
            raise UserError(
                f"{path} has no weights for {name}: no tensor's name begins with {prefix!r} (the first is "
                f"{shown(min(tensors, default=''))}); give a file of a network with such a {self.role}"
            )
        load_exactly(self.net if of_run else self, own, str(path), self._name())

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Refuses a checkpoint that has this part with another architecture, which mmengine itself would only log.

        mmengine calls it for `load_from`, `init_detector` and `init_model`. A checkpoint without the part is left to mmengine.
        """
        own = {key.removeprefix(prefix): tensor for key, tensor in state_dict.items() if key.startswith(prefix)}
        if own:
            # as mmengine does: weights of before torch counted batches lack these
            counts = {key: tensor for key, tensor in self.state_dict().items() if key.endswith("num_batches_tracked")}
            check_fits(self, {**counts, **own}, "the checkpoint", self._name())
        arguments = (local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def _name(self) -> str:
        return f"the {self.role} {type(self).__name__} of this configuration"


def load_run(model: nn.Module, run: Path, heads: Sequence[str], data: Sequence[str] | None = None) -> None:
    """Loads the best network of a run into the network of a configuration.

    Args:
        model: the network; its backbone, and its neck unless it is the package's own, are of this package.
        run: folder of the run.
        heads: where a network of the package may have the head that tells classes apart.
        data: class names of the configuration's data, where they are known.

    Raises:
        UserError: no run folder, other classes than the run's, or another architecture.
    """
    classes = _classes(run)
    for name in heads:
        count = getattr(_part(model, name), "num_classes", len(classes))
        if count != len(classes):
            raise UserError(
                f"{run}: its network was trained for {len(classes)} classes ({cut(', '.join(classes))}), the configuration's "
                f"{name} has num_classes={count}; set num_classes={len(classes)}, or load backbone and neck alone, by init_cfg"
            )
    if data is not None and list(data) != classes:
        raise UserError(
            f"{run}: its classes are {cut(', '.join(classes))}, those of the configuration's data are {cut(', '.join(data))}; "
            "give the data metainfo=dict(classes=...) with the run's classes in their order, or load backbone and neck alone"
        )
    file = run / "best" / "model.safetensors"
    tensors: dict[str, Tensor] = {}
    for key, tensor in read_weights(file).items():
        part, _, rest = key.removeprefix("net.").partition(".")
        tensors[f"{part}.net.{rest}" if isinstance(_part(model, part), Part) else f"{part}.{rest}"] = tensor
    load_exactly(model, tensors, str(file), f"the {type(model).__name__} of this configuration")


class RunLoading:
    """What the hooks `LoadRun` of the packages share: the Runner begins with the best network of a run.

    The network is loaded once, before the first training, validation or test, unless the Runner has loaded a checkpoint
    (`load_from`, `resume`), which goes first.

    Attributes:
        run: folder of the run.
        heads: see `load_run`.
    """

    heads: ClassVar[tuple[str, ...]]

    def __init__(self, run: str) -> None:
        """Keeps the folder's name."""
        self.run = Path(run).expanduser()
        self._done = False

    def after_load_checkpoint(self, runner: Any, checkpoint: Mapping[str, Any]) -> None:
        """Leaves the weights of the checkpoint alone."""
        self._done = True

    def before_train(self, runner: Any) -> None:
        """Loads; see `load_run` for what is refused."""
        self._load(runner.model, runner.train_dataloader)

    def before_val(self, runner: Any) -> None:
        """Loads; see `load_run` for what is refused."""
        self._load(runner.model, runner.val_dataloader)

    def before_test(self, runner: Any) -> None:
        """Loads; see `load_run` for what is refused."""
        self._load(runner.model, runner.test_dataloader)

    def _load(self, model: nn.Module, loader: Any) -> None:
        if self._done:
            return
        self._done = True
        data = getattr(loader.dataset, "metainfo", {}).get("classes")
        load_run(model.module if isinstance(model, DistributedDataParallel) else model, self.run, self.heads, data)


def _classes(run: Path) -> list[str]:
    """Class names of a run.

    Raises:
        UserError: no run folder, or its data have no classes.
    """
    path = run / "config.json"
    if not path.is_file():
        raise UserError(f"{run} is no run folder: it has no config.json; give the folder that a run was written to")
    config = read_json(path)
    data = config.get("data") if isinstance(config, dict) else None
    classes = data.get("classes") if isinstance(data, dict) else None
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise UserError(f"{path}: names no classes of its data; give the folder of a run of detection or segmentation")
    return classes


def _part(model: nn.Module, name: str) -> nn.Module | None:
    """The submodule of a name with dots, if there is one."""
    try:
        return model.get_submodule(name)
    except AttributeError:
        return None
