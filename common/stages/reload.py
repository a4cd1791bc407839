"""Reloads a finished run without its training data, to export its networks or run them on files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.arch import from_labels, load, save
from common.data.npz import memory
from common.errors import UserError, cut, shown
from common.extras import require
from common.overrides import from_plain, plain
from common.run.files import Jsonl, read_json
from common.run.unfinished import how_to_go_on
from common.script import make_folder
from common.space import Arch, decode
from common.system import System, system_of

if TYPE_CHECKING:
    from torch import nn

    from common.task import Facts, Networks


OWN = "own"
"""What `config.json` calls the task of an own network; see `common.own`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadedRun:
    """A run folder, read from its own files.

    Attributes:
        networks: of the run.
        facts: what the run remembers of its data.
        source: the file that the networks were made from, which may be damaged; None for a user's own build function.
        deployed: what runs where a network is used; see `common.system_task.SystemTask.deployed`.
    """

    networks: Networks
    facts: Facts
    source: Path | None = None
    deployed: Callable[[nn.Module], nn.Module] | None = None

    @property
    def space(self) -> Any:
        """The description with open decisions."""
        return self.networks.space

    @property
    def described(self) -> Any:
        """The open description of the networks that are trained alone."""
        return self.networks.alone(self.networks.space)

    def build(self, description: Any) -> nn.Module:
        """The module of a description."""
        return self.networks.build(description, 0)

    def network(self, arch: Arch) -> nn.Module:
        """The network of an architecture, with fresh weights.

        Raises:
            UserError: the settings of the run are damaged: they give no network, or one that does not fit into memory.
        """
        with sound(self.source):
            description = self.networks.alone(decode(self.space, arch))
            if self.source is not None:
                check_size(lambda: self.build(description), self.source)
            return self.build(description)

    def predict(self, network: nn.Module, files: Sequence[Path], folder: Path) -> Iterator[Mapping[str, Any]]:
        """See `common.file_facts.FileFacts.predict`; what the facts cannot do is the fault of the run's settings."""
        with sound(self.source):
            yield from self.facts.predict(network, files, folder)


@contextmanager
def sound(source: Path | None) -> Iterator[None]:
    """In the block, what a published system cannot build or run is the fault of the settings in the file `source`.

    Errors of a user's own functions, which have no such file, pass as they are.

    Raises:
        UserError: names the file and what was raised.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # values out of range end in errors of torch, of numbers and of the system's own
        if source is None:
            raise
        said = cut(f"{type(error).__name__}: {error}", 160)
        raise UserError(f"{source}: its settings or data are out of range ({said}); restore the file from a copy") from error


def check_size(build: Callable[[], nn.Module], source: Path) -> None:
    """Refuses a network that does not fit into memory, before memory is taken for it.

    Raises:
        UserError: names the file that the network is made from, and both sizes.
    """
    import torch

    with torch.device("meta"):
        size = sum(tensor.nbytes for tensor in build().state_dict().values())
    if size > (most := memory() // 2):
        raise UserError(
            f"{source}: its network takes {size / 2**30:,.1f} GiB, and this machine has room for {most / 2**30:,.1f} GiB; "
            "restore the file from a copy"
        )


def reload(run: Path, build: Callable[[Any], nn.Module] | None = None, space: Any = None) -> ReloadedRun:
    """What a run folder holds.

    Args:
        run: the run folder.
        build: build function of an own network; a folder holds no code.
        space: its description with open decisions.

    Raises:
        MissingPackages: packages of the task are not installed.
        UserError: not a run folder, one of an unknown task or system, one whose settings cannot be read, or that of an own
            network without its build function and space.
    """
    path = run / "config.json"
    if not path.is_file():
        raise UserError(f"{run} is no run folder: it has no config.json; give the folder that a run was written to")
    config = read_json(path)
    if not isinstance(config, dict) or not all(isinstance(config.get(key), str) for key in ("task", "system")):
        raise UserError(f"{path}: names no task and system; give a folder that a train script wrote")
    if config["task"] == OWN:
        from common.own.reload import reload_own

        return reload_own(run, config, build, space)
    system = system_of(config["task"], config["system"], str(path))
    require(system.package)
    with sound(path):
        settings = from_plain(system.settings, current(config, system), f"{path}: settings")
    data = config.get("data")
    if not isinstance(data, dict):
        raise UserError(f"{path}: says nothing about its data; give a folder that a train script wrote")
    task = system.task.resolve()
    facts = facts_from(task.facts_of, data, settings, str(path))
    with sound(path):
        if odd := [tuple(x.shape) for x in facts.example() if not x.numel()]:
            raise UserError(f"{path}: its data give inputs of shape {odd[0]}; restore the file from a copy")
        networks = system.networks(settings.finished(), facts)
    return ReloadedRun(networks=networks, facts=facts, source=path, deployed=task.deployed)


def current(config: Mapping[str, Any], system: System) -> Any:
    """The settings of a run as this version writes them.

    Runs of version 0.1 before engines were open to all have another form of the settings of a search. Nothing that is done with
    a finished run reads them, so that those of the recipe stand in.
    """
    settings = config.get("settings")
    search = settings.get("search") if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(search, dict) or "evaluation" in search:
        return settings
    name = next((method.name for method in system.methods if method.name == config["system"]), system.methods[0].name)
    recipes = system.method(name).recipes
    recipe = plain((recipes.get(str(settings.get("recipe"))) or next(iter(recipes.values())))())
    known = {field.name for field in fields(system.settings)}
    return {key: value for key, value in settings.items() if key in known or key not in MOVED} | {"search": recipe["search"]}


MOVED = ("derive", "hand_made", "warm_start", "method")
"""Settings of earlier runs that are parts of others now."""


def facts_from(kind: type[Any], data: Mapping[str, Any], settings: Any, source: str) -> Any:
    """Facts as `config.json` holds them.

    Args:
        kind: dataclass of the facts; each field is the entry of that name that the task's data wrote. `OF_SETTINGS`, where it
            has one, names fields that are settings of the data: field -> setting.
        data: the entry `data` of a `config.json`.
        settings: of the run.
        source: what to call the file in an error.

    Raises:
        UserError: an entry is missing or of another type.
    """
    of_settings: Mapping[str, str] = getattr(kind, "OF_SETTINGS", {})
    chosen = {name: plain(getattr(settings.data, setting)) for name, setting in of_settings.items()}
    entries = {field.name: data.get(field.name) for field in fields(kind) if field.name not in of_settings}
    return from_plain(kind, {**entries, **chosen}, f"{source}: data")


def best(run: Path, reloaded: ReloadedRun) -> nn.Module:
    """The found network with its weights, in eval mode.

    Raises:
        UserError: a file in RUN/best is missing or damaged; see `common.run.unfinished.check_finished`.
    """
    from common.run.checkpoint import load_weights

    folder = run / "best"
    network = reloaded.network(load(folder / "arch.json", reloaded.space))
    load_weights(folder / "model.safetensors", network)
    return network.eval()


def retrained(run: Path, reloaded: ReloadedRun, name: str, seed: int) -> tuple[nn.Module, Any, str]:
    """A retrained network with its weights in eval mode, its architecture, and what its files are called.

    Raises:
        UserError: the run has no such network, its training failed, or its weights are damaged.
    """
    from common.run.checkpoint import load_weights
    from common.stages.workers import Job

    log = run / "retrained.jsonl"
    rows = Jsonl(log).rows()
    row = next((row for row in rows if (row["name"], row["seed"]) == (name, seed)), None)
    if row is None:
        known = ", ".join(f"{shown(row['name'])} {row['seed']}" for row in rows) or "none yet"
        hint = how_to_go_on(run)
        raise UserError(f"{log}: no network {shown(name)} of seed {seed}; there is {known}{hint and f'; {hint}'}")
    if error := row.get("error"):
        raise UserError(f"{log}: network {name!r} of seed {seed} has no weights, its training failed ({error}); give another one")
    if not row["arch"]:
        raise UserError(
            f"{log}: network {name!r} is no architecture of the space, which alone can be built anew; give another one"
        )
    arch = from_labels(reloaded.space, row["arch"], str(log))
    slug = Job(name=name, kind=row["kind"], arch=arch, seed=seed).slug
    network = reloaded.network(arch)
    load_weights(run / "retrained" / f"{slug}.safetensors", network)
    return network.eval(), arch, slug


def export_retrained(run: Path, reloaded: ReloadedRun, name: str, seed: int, out: Path | None = None) -> tuple[Path, Any]:
    """Writes a retrained network as ONNX, checked against torch, with a script that uses it.

    Args:
        run: the run folder.
        reloaded: of the folder.
        name: the network's name in the report.
        seed: the number of its training.
        out: folder to write; RUN/exported/NAME-SEED by default.

    Returns:
        The folder, and the `common.export.Parity` of the file.

    Raises:
        UserError: see `retrained`; or the folder cannot be made, or the network not be exported.
    """
    network, arch, slug = retrained(run, reloaded, name, seed)
    folder = out or run / "exported" / slug
    make_folder(folder)
    parity = reloaded.facts.export(network, folder)
    save(folder / "arch.json", reloaded.space, arch)
    return folder, parity
