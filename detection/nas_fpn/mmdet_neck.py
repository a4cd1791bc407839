"""NAS-FPN's pyramids in configurations of mmdetection: `neck=dict(type="SearchedFPN", arch="7@256", in_channels=[...])`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from common.arch import from_labels
from common.errors import UserError
from common.json_text import NotJson, read_foreign
from common.space import decisions, decode
from detection.mm.neck import NeckPart, given, refuse_beside
from detection.nas_fpn.names import pyramid_of_run, read_arch
from detection.necks.merges import NASFPN, Gate
from detection.necks.settings import SHAPES


class SearchedFPN(NeckPart):
    """The pyramid of one architecture; it takes the place of mmdetection's FPN in front of a dense head."""

    def __init__(
        self,
        arch: str,
        in_channels: Sequence[int] | Mapping[str, Any],
        out_channels: int | None = None,
        stacks: int | None = None,
        gate: str | None = None,
        lite: bool | None = None,
        start_level: int | None = None,
        seed: int = 0,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        """Makes the pyramid.

        Args:
            arch: a published name (`7@256`, `lite:7@64`), or an architecture file of a run that searches pyramids (`nas-fpn`,
                `detnas-fpn`).
            in_channels: channels of the backbone's maps, or the backbone's entry; see `detection.mm.neck.NeckPart`.
            out_channels: channels of the pyramid. A published name says them. For a file RUN/best/arch.json they are those of
                the run's config.json, for another file 256.
            stacks: copies of the merging cells; as `out_channels`, for another file 7.
            gate: how attention cells work, `coarse-max` or `fine-mean`; that of the run, or `coarse-max`.
            lite: separable convolutions and ReLU6; as `out_channels`, for another file False.
            start_level: see `NeckPart`.
            seed: of the initial weights.
            init_cfg: weights of a run; see `common.mm_weights.Part`.

        Raises:
            UserError: no such architecture, or maps that do not fit its levels.
        """
        if gate is not None and gate not in get_args(Gate):
            raise UserError(f"SearchedFPN: gate {gate!r} does not exist; choose one of {', '.join(get_args(Gate))}")
        sizes = {"out_channels": out_channels, "stacks": stacks, "lite": lite}
        known = given("SearchedFPN", sizes, ("out_channels", "stacks"))
        net = _pyramid(arch, known)
        super().__init__(net if gate is None else replace(net, gate=gate), in_channels, start_level, seed, init_cfg)


def _pyramid(arch: str, sizes: Mapping[str, Any]) -> NASFPN:
    """The settled pyramid of a name or file, with the sizes that are given."""
    published, net = _read(arch)
    if published:
        refuse_beside("SearchedFPN", arch, sizes)
        return net
    own = {"width" if name == "out_channels" else name: size for name, size in sizes.items()}
    return replace(net, **own)


def _read(arch: str) -> tuple[bool, NASFPN]:
    """Whether a text is a published name, and its settled pyramid. The pyramid of a joint search is a part of its file."""
    path = Path(arch)
    choices = _choices(path) if path.is_file() else {}
    pyramid = {name: label for name, label in choices.items() if name.startswith("neck.")}
    if pyramid and len(pyramid) < len(choices):
        sizes = pyramid_of_run(path)
        for levels, between in SHAPES:
            space = Pyramid(neck=replace(sizes, levels=levels, between=between).neck())
            if decisions(space).keys() == pyramid.keys() and _fits(space, pyramid):
                return False, decode(space, from_labels(space, pyramid, arch)).neck
    read = read_arch(arch, "shufflenet-tiny")  # pyramids are the same on every backbone
    return read.name == "paper", decode(read.space, read.arch).neck


@dataclass(frozen=True, slots=True, kw_only=True)
class Pyramid:
    """A pyramid under the name that it has in a detector."""

    neck: NASFPN


def _choices(path: Path) -> dict[str, str]:
    """The choices in an architecture file; none where it is damaged, which `read_arch` explains."""
    try:
        found = read_foreign(path)
    except (OSError, NotJson):
        return {}
    choices = found.get("choices") if isinstance(found, dict) else None
    return choices if isinstance(choices, dict) else {}


def _fits(space: Pyramid, pyramid: Mapping[str, str]) -> bool:
    """Whether the labels are options of a space."""
    try:
        from_labels(space, pyramid)
    except UserError:
        return False
    return True
