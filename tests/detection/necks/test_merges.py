"""NAS-FPN's grammar: the published pyramid, the size of the space, orphans, and specifications that are wrong."""

from dataclasses import replace
from random import Random

import pytest

from common.errors import UserError
from common.space import decode, sample, size
from detection.necks.merges import PUBLISHED, Cell, Merge, Wiring, grammar, merges


def test_the_published_pyramid_is_that_of_the_official_code():
    assert merges(PUBLISHED) == (
        Merge(level=4, op="attention", inputs=(1, 3), orphans=(), output=False),
        Merge(level=4, op="sum", inputs=(1, 5), orphans=(), output=False),
        Merge(level=3, op="sum", inputs=(0, 6), orphans=(), output=True),
        Merge(level=4, op="sum", inputs=(6, 7), orphans=(), output=True),
        Merge(level=5, op="attention", inputs=(7, 8), orphans=(2,), output=True),
        Merge(level=7, op="attention", inputs=(6, 9), orphans=(4,), output=True),
        Merge(level=6, op="attention", inputs=(9, 10), orphans=(), output=True),
    )


def test_the_space_has_the_size_of_the_grammar():
    """4 levels, 2 operations and the pairs for each cell between; 2 operations and the pairs for each output; 5! orders."""
    pairs = [k * (k - 1) // 2 for k in range(5, 12)]
    count = (4 * 2 * pairs[0]) * (4 * 2 * pairs[1]) * 120
    for pair in pairs[2:]:
        count *= 2 * pair
    assert size(grammar()) == count == 1_931_334_451_200_000


def test_ten_thousand_samples_are_valid():
    space, rng = grammar(), Random(0)
    for _ in range(10_000):
        cells = merges(decode(space, sample(space, rng)))
        assert sorted(cell.level for cell in cells if cell.output) == [3, 4, 5, 6, 7]
        assert all(len(set(cell.inputs)) == 2 and max(cell.inputs) < 5 + i for i, cell in enumerate(cells))
        assert all(cell.level > 3 for cell in cells if not cell.output)


def test_orphans_are_unused_maps_of_the_own_level_so_far():
    cells = (Cell(inputs=(0, 1), op="sum"), Cell(inputs=(0, 1), op="sum"), Cell(inputs=(0, 3), op="sum"))
    found = merges(Wiring(levels=(3, 4), between=(4,), order=(3, 4), cells=cells))
    assert [cell.orphans for cell in found] == [(), (), (2,)]
    later = (*cells[:2], Cell(inputs=(2, 3), op="sum"))
    assert [cell.orphans for cell in merges(Wiring(levels=(3, 4), between=(4,), order=(3, 4), cells=later))] == [(), (), ()]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"order": (3, 4, 5, 7, 7)}, r"output levels \(3, 4, 5, 7, 7\): level 7 is there twice; give each of 3, 4, 5, 6, 7 once"),
        ({"order": (3, 4, 5, 7)}, r"output levels \(3, 4, 5, 7\): level 6 is missing"),
        ({"order": (3, 4, 5, 7, 9)}, r"output levels \(3, 4, 5, 7, 9\): level 9 is none of the pyramid's"),
        ({"between": (4, 9)}, r"cell 6: level 9 is none of the pyramid's \(3, 4, 5, 6, 7\)"),
        ({"between": (4,)}, r"7 merging cells: 1 intermediate ones and 5 outputs need 6"),
    ],
)
def test_levels_that_are_wrong_are_refused(change, says):
    with pytest.raises(UserError, match=says):
        merges(replace(PUBLISHED, **change))


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (Cell(inputs=(1, 6), op="sum"), r"cell 6 merges \(1, 6\): give two different maps of those before it, 0 to 5"),
        (Cell(inputs=(1, 1), op="sum"), r"cell 6 merges \(1, 1\)"),
        (Cell(inputs=(-1, 1), op="sum"), r"cell 6 merges \(-1, 1\)"),
        (Cell(inputs=(1,), op="sum"), r"cell 6 merges \(1,\)"),
        (Cell(inputs=(1, 5), op="max"), r"cell 6: operation 'max' does not exist; choose one of sum, attention"),
    ],
)
def test_cells_that_are_wrong_are_refused(cell, says):
    with pytest.raises(UserError, match=says):
        merges(replace(PUBLISHED, cells=(PUBLISHED.cells[0], cell, *PUBLISHED.cells[2:])))
