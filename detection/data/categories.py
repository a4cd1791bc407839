"""The categories of a COCO folder: those that annotations use, alike in every split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from typing import Any

from common.data.problems import Problems, listing


def used_categories(
    cocos: Mapping[str, dict[str, Any]], used: Set[int], problems: Problems, notes: list[str]
) -> list[dict[str, Any]]:
    """The categories of train that an annotation of any split has, in the order of their ids.

    Rules apply to what is used: a category without an annotation (such as the one of id 0 that some programs write) may have
    any name and may stand in some of the files alone; a note says that it is left out.

    Args:
        cocos: the content of each split's file.
        used: ids of the categories that annotations name.
        problems: names that occur twice, and categories that differ between files, are added here.
        notes: what was left out is added here.
    """
    own = {split: {entry["id"]: entry["name"] for entry in coco["categories"]} for split, coco in cocos.items()}
    train = own["train"]
    for split, names in own.items():
        counts = Counter(name for key, name in names.items() if key in used)
        twice = sorted(name for name, count in counts.items() if count > 1)
        problems.fatal.extend(f"instances_{split}.json: category name {name!r} occurs twice" for name in twice)
        differing = sorted(_differing(train, names, used))
        if differing:
            problems.fatal.append(f"instances_{split}.json has other categories than instances_train.json (ids {differing[:5]})")
    unused = [f"{name!r} (id {key})" for key, name in sorted(train.items()) if key not in used]
    if unused and used:
        notes.append(f"left out, as no annotation has them: {listing(unused, 'categories')}")
    return [entry for entry in cocos["train"]["categories"] if entry["id"] in used]


def _differing(train: Mapping[int, str], names: Mapping[int, str], used: Set[int]) -> set[int]:
    """The ids by which a split's categories contradict those of train."""
    differing = {key for key, name in names.items() if key in used and train.get(key) != name}
    for name in {*train.values()} & {*names.values()}:
        there, here = ({key for key, other in own.items() if other == name} for own in (train, names))
        if (there ^ here) & used:
            differing |= there ^ here
    return differing
