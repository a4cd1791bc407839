"""GAN Compression's generators as data: descriptions, search spaces and released architectures (arXiv 2003.08936, section 3.2).

Widths are written as in the released configurations, `c0_c1_c2_c3_c4_c5_c6_c7`: base widths that a layer multiplies by the
level it is at, 1, 2 or 4 (stem 1, first convolution down 2, trunk and hidden widths of the blocks 4, first convolution up 2,
second 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.errors import UserError, check_least
from common.space import Arch, OneOf, decisions

BLOCKS = 9
"""Residual blocks of the published generators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A ResNet generator (Johnson et al. 2016; CycleGAN's `resnet_9blocks`): pictures of any side that is a multiple of 4.

    Attributes:
        stem: base width of the first convolution.
        down: base width of the first convolution of stride 2.
        trunk: base width of the second one, and of what enters and leaves every block.
        hidden: base widths inside the blocks, for equal shares of them in order: three entries stand for a third each.
        up: base widths of the two transposed convolutions.
        blocks: residual blocks; a multiple of the entries of `hidden`.
        mobile: whether the blocks' convolutions are depthwise and pointwise ones, the paper's "mobile ResNet".
        channels: of the input picture and of the output picture.
        dropout: probability inside the blocks.
    """

    stem: Any
    down: Any
    trunk: Any
    hidden: tuple[Any, ...]
    up: tuple[Any, Any]
    blocks: int = BLOCKS
    mobile: bool = True
    channels: tuple[int, int] = (3, 3)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Checks that the blocks can be shared out.

        Raises:
            UserError: they cannot.
        """
        if not self.hidden or self.blocks < 1 or self.blocks % len(self.hidden):
            raise UserError(f"{self.blocks} blocks with {len(self.hidden)} hidden widths: give a multiple of them, 1 at least")


def uniform(width: Any, *, blocks: int = BLOCKS, mobile: bool = True, dropout: float = 0.0) -> Generator:
    """The generator with base width `width` (the field's `ngf`) everywhere."""
    return Generator(
        stem=width, down=width, trunk=width, hidden=(width,), up=(width, width), blocks=blocks, mobile=mobile, dropout=dropout
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Base widths that each of the eight positions of a configuration may have, from large to small as in the official code."""

    stem: tuple[int, ...]
    down: tuple[int, ...]
    trunk: tuple[int, ...]
    hidden: tuple[tuple[int, ...], ...]
    up: tuple[tuple[int, ...], tuple[int, ...]]

    def open(self, blocks: int = BLOCKS, dropout: float = 0.0) -> Generator:
        """The mobile generator with every width open."""
        return Generator(
            stem=OneOf(*self.stem),
            down=OneOf(*self.down),
            trunk=OneOf(*self.trunk),
            hidden=tuple(OneOf(*options) for options in self.hidden),
            up=(OneOf(*self.up[0]), OneOf(*self.up[1])),
            blocks=blocks,
            dropout=dropout,
        )

    def positions(self) -> tuple[tuple[int, ...], ...]:
        """The widths of each position of a configuration, in order."""
        return self.stem, self.down, self.trunk, *self.hidden, *self.up

    def widths(self) -> list[int]:
        """The widths that every position may have, from large to small: those of the uniform generators of the space."""
        first, *others = self.positions()
        return [width for width in first if all(width in options for options in others)]


def _alike(*widths: int) -> Choices:
    return Choices(stem=widths, down=widths, trunk=widths, hidden=(widths,) * 3, up=(widths, widths))


_SIX = (48, 40, 32)
_FOUR = (48, 32, 24, 16)
CHOICES = {
    "channels-48": Choices(stem=(48, 32), down=(48, 32), trunk=_SIX, hidden=(_SIX, _SIX, _SIX), up=(_FOUR, _FOUR)),
    "channels-32": _alike(32, 24, 16),
    "channels-64-cycleGAN": _alike(64, 48, 32, 24, 16),
    "channels-64-pix2pix": _alike(64, 56, 48, 40, 32, 24, 16),
    "halved": _alike(32, 24, 16, 12, 8),
    "tiny": _alike(12, 8, 4),
}
"""Name -> choice set of the official code; `halved` (channels-64-cycleGAN's) and `tiny` are this project's own, for small
pictures on a CPU."""


def open_space(name: str, blocks: int = BLOCKS, dropout: float = 0.0) -> Generator:
    """The open generator of a choice set.

    Raises:
        UserError: there is none of that name.
    """
    return choices(name).open(blocks, dropout)


def choices(name: str) -> Choices:
    """A choice set.

    Raises:
        UserError: there is none of that name.
    """
    if name not in CHOICES:
        raise UserError(f"space {name!r} does not exist; choose one of {', '.join(CHOICES)}")
    return CHOICES[name]


def parse(text: str) -> tuple[int, ...]:
    """The base widths of a configuration string.

    >>> parse("32_32_48_32_48_48_16_16")
    (32, 32, 48, 32, 48, 48, 16, 16)

    Raises:
        UserError: it is not 6, 8 or 14 positive numbers joined by `_`: five and the hidden widths of 1, 3 or 9 groups of blocks.
    """
    words = text.strip().split("_")
    if len(words) not in (6, 8, 14) or not all(word.isascii() and word.isdecimal() and int(word) for word in words):
        raise UserError(
            f"{text!r} is no configuration; write eight base widths, 32_32_48_32_48_48_16_16 say, or the six of the older form"
        )
    return tuple(int(word) for word in words)


def settled(widths: Sequence[int]) -> Generator:
    """The mobile generator of a configuration as `parse` gives it."""
    *hidden, first, second = widths[3:]
    return Generator(stem=widths[0], down=widths[1], trunk=widths[2], hidden=tuple(hidden), up=(first, second))


def written(net: Generator) -> str:
    """The configuration string of a settled generator."""
    return "_".join(str(width) for width in (net.stem, net.down, net.trunk, *net.hidden, *net.up))


def arch_of(space: Generator, widths: Sequence[int]) -> Arch:
    """The architecture of a configuration in an open space.

    Raises:
        UserError: the space has other positions, or not that width at one of them.
    """
    open_ = decisions(space)
    if len(open_) != len(widths):
        raise UserError(f"{len(widths)} widths for a space of {len(open_)} positions; give one a position")
    taken: dict[str, int] = {}
    for (path, decision), width in zip(open_.items(), widths, strict=True):
        options = decision.options
        if width not in options:
            raise UserError(
                f"width {width} is not one of {path}'s, {', '.join(map(str, options))}; give another, or --space NAME"
            )
        taken[path] = options.index(width)
    return Arch(taken)


def uniform_archs(space: Generator, name: str) -> dict[int, Arch]:
    """Width -> the architecture with that base width everywhere, from wide to narrow.

    Args:
        space: the open generator of a choice set.
        name: of the choice set.
    """
    chosen = choices(name)
    return {width: arch_of(space, [width] * len(chosen.positions())) for width in chosen.widths()}


_ANY = (96, 64, 56, 48, 40, 32, 24, 20, 16)


def _any(hidden: int, mobile: bool = True) -> Generator:
    """A space with every width that was released, for configurations that no choice set holds."""
    wide = Choices(stem=_ANY, down=_ANY, trunk=_ANY, hidden=(_ANY,) * hidden, up=(_ANY, _ANY))
    return replace(wide.open(), mobile=mobile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A released generator: its configuration, the space it is taken from (None: one that holds every width) and its counts.

    `params` and `macs` (at 256x256, `common.cost.conventions.output_elements`) are exact where they are known. `older` is the
    configuration under which it was published for an older builder, which makes another generator of it than this one does.
    """

    config: str
    source: str
    space: str | None = None
    mobile: bool = True
    params: int | None = None
    macs: int | None = None
    older: str = ""

    def open(self) -> tuple[Generator, Arch]:
        """The open generator, and this architecture in it."""
        widths = parse(self.config)
        space = _any(len(widths) - 5, self.mobile) if self.space is None else open_space(self.space)
        return space, arch_of(space, widths)


def _uniform(width: int, params: int, macs: int, *, mobile: bool = True) -> Published:
    kind = "mobile ResNet" if mobile else "ResNet with 9 blocks"
    return Published(config="_".join([str(width)] * 6), source=f"{kind}, ngf {width}", mobile=mobile, params=params, macs=macs)


PUBLISHED = {
    "resnet_64": _uniform(64, 11_378_179, 56_831_770_624, mobile=False),
    "mobile_96": _uniform(96, 4_418_307, 40_232_288_256),
    "mobile_64": _uniform(64, 1_987_075, 18_365_808_640),
    "mobile_48": _uniform(48, 1_130_883, 10_603_462_656),
    "mobile_32": _uniform(32, 514_307, 4_955_045_888),
    "horse2zebra_paper": Published(
        config="24_24_24_32_20_16", source="the paper's model, older form", params=341_627, macs=2_670_067_712
    ),
    "horse2zebra": Published(
        config="16_16_32_16_32_32_16_16", source="retrained", space="channels-32", params=356_867, macs=2_546_204_672
    ),
    "horse2zebra_fast": Published(
        config="16_16_24_16_32_64_16_24",
        source="fast pipeline",
        space="channels-64-cycleGAN",
        params=355_235,
        macs=2_640_576_512,
    ),
    "edges2shoes_paper": Published(
        config="32_32_40_48_40_40_48_40_40_48_40_40_16_32",
        source="the paper's model, 32_32_40_48_16_32 of a builder that gives the fourth width to blocks 1, 4 and 7 and the "
        "trunk's to the others",
        older="32_32_40_48_16_32",
    ),
    "edges2shoes": Published(
        config="32_32_48_32_48_48_16_16", source="retrained", space="channels-48", params=822_051, macs=4_993_843_200
    ),
    "edges2shoes_fast": Published(config="24_24_40_56_24_56_16_40", source="fast pipeline", space="channels-64-pix2pix"),
    "cityscapes_paper": Published(config="48_32_40_40_24_32", source="the paper's model, older form"),
    "cityscapes": Published(
        config="32_32_48_32_32_48_24_24", source="retrained", space="channels-48", params=780_819, macs=5_591_531_520
    ),
    "cityscapes_fast": Published(
        config="16_24_48_56_40_48_24_16",
        source="fast pipeline; its table gives 0.867M and 5.61G, which this configuration of its script has not",
        space="channels-64-pix2pix",
        params=886_307,
        macs=5_451_284_480,
    ),
    "maps": Published(config="32_32_48_32_48_32_16_16", source="retrained", space="channels-48"),
    "maps_fast": Published(
        config="16_16_40_40_40_64_24_16",
        source="fast pipeline; its table gives 0.708M and 4.53G, which this configuration of its script has not",
        space="channels-64-pix2pix",
        params=719_507,
        macs=4_569_694_208,
    ),
}
"""Name -> released generator, and the hand-made ones it is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherSettings:
    """The large generator that is compressed."""

    width: int
    """Its base width everywhere (ngf)."""
    mobile: bool
    """Whether its blocks are depthwise-separable (the full pipeline) or dense (the fast one)."""
    run: str | None = None
    """A finished run's folder, whose teacher and discriminator are taken instead of training them."""


def check_sizes(space: str, blocks: int, dropout: float, teacher: TeacherSettings, *, distilled: bool) -> None:
    """Refuses sizes of generators that do not exist, or do not fit each other.

    Args:
        space: choice set of the students' widths.
        blocks: residual blocks of every generator.
        dropout: probability inside the blocks.
        teacher: the large generator.
        distilled: whether students begin with the teacher's filters.

    Raises:
        UserError: names the setting.
    """
    widest = max(choices(space).positions()[2])
    if blocks < 3 or blocks % 3:
        raise UserError(f"blocks={blocks}: a third of the blocks shares a hidden width; give a multiple of 3")
    check_least(teacher, "teacher", ("width",), 1)
    if not 0 <= dropout < 1:
        raise UserError(f"dropout={dropout}: a probability lies from 0 to below 1")
    if distilled and not teacher.mobile:
        raise UserError(
            "distil.steps above 0: a student begins with the filters of a mobile teacher; set teacher.mobile=true, or "
            "distil.steps=0 (the fast pipeline)"
        )
    if distilled and widest > teacher.width:
        raise UserError(
            f"teacher.width={teacher.width}: space {space} has wider students, which cannot begin with its filters; give a "
            "teacher as wide, or distil.steps=0"
        )
