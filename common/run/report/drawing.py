"""A picture of an architecture: its blocks in order, grouped by the part of the network their paths name.

Works for any space, from the decision paths alone (`stages.0.blocks.2.kernel`). A task that can draw better leaves a
`drawing.svg` in the run folder; it is embedded after everything that could act or fetch is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from markupsafe import Markup

COLOURS = 10
"""Number of block colours (`--block-0` ... in the template); options beyond share them again."""

_ELEMENTS = frozenset(
    {
        *("svg", "g", "defs", "title", "desc", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
        *("text", "tspan", "use", "marker", "clipPath", "linearGradient", "radialGradient", "stop", "symbol", "pattern", "mask"),
    }
)
_STYLES = re.compile(r"(fill|stroke|opacity|color|font|text|stop|clip|marker|display|visibility|paint|dominant)[a-z-]*")
_OPENS_OUT = re.compile(r"url\s*\(\s*(?!#)|image-set|javascript:|\\", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block: its place in the group, its options in words, its colour's number and its full paths.

    A decision about the whole part, such as its depth, has no number in its path and gets no colour.
    """

    place: str
    text: str
    colour: int | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Blocks whose paths begin alike."""

    name: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """The whole chain, and which colour stands for what."""

    parts: tuple[Part, ...]
    legend: tuple[tuple[str, int], ...]


def draw(arch: Mapping[str, str], decisions: Mapping[str, Sequence[str]]) -> Drawing:
    """Lay out `arch` (path -> option label) in the order of `decisions` (path -> options), paths unknown to it last.

    Colours follow the order of the options, so that architectures of one space are coloured alike.
    """
    order = {path: index for index, path in enumerate(decisions)}
    paths = sorted(arch, key=lambda path: (order.get(path, len(order)), _natural(path)))
    deep = frozenset(map(_deep, paths))
    blocks: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for path in paths:
        part, block, rest = _address(path, deep)
        blocks.setdefault((part, block), []).append((rest, path))
    texts = {
        key: " · ".join(f"{rest} {arch[path]}" if rest and len(items) > 1 else arch[path] for rest, path in items)
        for key, items in blocks.items()
    }
    named = sorted({text for (_, block), text in texts.items() if block.isdigit()}, key=_natural)
    options = dict.fromkeys(option for labels in decisions.values() for option in labels)
    palette = list(options) if options.keys() >= set(named) else named
    colours: dict[str, int] = {text: palette.index(text) % COLOURS for text in named}
    parts: dict[str, list[Block]] = {}
    for (part, block), items in blocks.items():
        text = texts[part, block]
        detail = "; ".join(f"{path}: {arch[path]}" for _, path in items)
        colour = colours[text] if block.isdigit() else None
        parts.setdefault(part, []).append(Block(place=block, text=text, colour=colour, detail=detail))
    return Drawing(
        parts=tuple(Part(name=name, blocks=tuple(members)) for name, members in parts.items()),
        legend=tuple(colours.items()),
    )


def sanitise(svg: str) -> Markup | None:
    """An SVG file as an element safe to inline, or None where it is not well-formed SVG.

    Only drawing elements stay; scripts, styles, event handlers, foreign content and every reference that leaves the
    file are dropped. Ids get a prefix so that they cannot meet the page's.
    """
    if "<!ENTITY" in svg:
        return None
    try:
        root = ElementTree.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", svg).strip())
    except ElementTree.ParseError:
        return None
    if _local(root.tag) != "svg":
        return None
    _clean(root)
    if "viewBox" not in root.attrib:
        width, height = (re.match(r"[\d.]+", root.get(side, "")) for side in ("width", "height"))
        if width and height:
            root.set("viewBox", f"0 0 {width.group()} {height.group()}")
    for side in ("width", "height"):
        root.attrib.pop(side, None)
    if box := re.fullmatch(r"\s*[-\d.]+[\s,]+[-\d.]+[\s,]+([\d.]+)[\s,]+[\d.]+\s*", root.get("viewBox", "")):
        root.set("style", f"width: 100%; max-width: min(100%, {box.group(1)}px)")  # no larger than it was drawn
    root.set("role", "img")
    root.set("aria-label", "Drawing of the found architecture")
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # rebuilt from an allow-list


def _clean(element: ElementTree.Element) -> None:
    element.tag = _local(element.tag)
    for child in list(element):
        if isinstance(child.tag, str) and _local(child.tag) in _ELEMENTS:
            _clean(child)
        else:
            element.remove(child)
    kept: dict[str, str] = {}
    for name, value in element.attrib.items():
        short = _local(name)
        if short == "href":
            if value.startswith("#"):
                kept[short] = f"#drawing-{value[1:]}"
        elif short == "id":
            kept[short] = f"drawing-{value}"
        elif short == "style":
            kept[short] = ";".join(part for part in value.split(";") if _harmless(part))
        elif short not in ("class", "src") and not short.lower().startswith("on") and not _OPENS_OUT.search(value):
            kept[short] = value
    element.attrib.clear()
    element.attrib.update({name: value.replace("url(#", "url(#drawing-") for name, value in kept.items()})


def _harmless(declaration: str) -> bool:
    name, _, value = declaration.partition(":")
    return _STYLES.fullmatch(name.strip().lower()) is not None and not _OPENS_OUT.search(value)


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]


def _tokens(path: str) -> list[str]:
    """The names and numbers of a path; the option labels in brackets say under what condition, not where."""
    depth, outside = 0, []
    for character in path:
        depth -= character == "]" and depth > 0
        if depth == 0:
            outside.append("" if character in "[]" else character)
        depth += character == "["
    return [token for token in "".join(outside).split(".") if token]


def _address(path: str, deep: frozenset[tuple[str, ...]]) -> tuple[str, str, str]:
    """Split a decision path into part, block and the rest: the last number names the block, one before it the part.

    `deep` holds the parts of the space that have numbered blocks, so that `stages.0.depth` joins `stages.0.blocks.1`.
    """
    tokens = _tokens(path)
    places = [index for index, token in enumerate(tokens) if token.isdigit()]
    if not places:
        return " ".join(tokens[:-1]) or "network", tokens[-1] if tokens else path, ""
    first, last = places[0], places[-1]
    if first == last and tuple(tokens[: first + 1]) in deep:
        return " ".join(tokens[: first + 1]), " ".join(tokens[first + 1 :]), ""
    part = tokens[: first + 1] if first < last else tokens[:last]
    return " ".join(part) or "network", tokens[last], " ".join(tokens[last + 1 :])


def _deep(path: str) -> tuple[str, ...]:
    tokens = _tokens(path)
    places = [index for index, token in enumerate(tokens) if token.isdigit()]
    return tuple(tokens[: places[0] + 1]) if len(places) > 1 else ()


def _natural(text: str) -> tuple[tuple[int, int | str], ...]:
    return tuple((0, int(piece)) if piece.isdigit() else (1, piece) for piece in re.split(r"(\d+)", text) if piece)
