"""Spaces as data: counts that are known, what is live, wirings made by hand."""

from dataclasses import replace

import pytest

from common.errors import UserError
from common.space import ManyOf, decisions, decode, sample, size
from common.streams import stream
from segmentation.dcnas.sizes import SIZES
from segmentation.dcnas.space import (
    OPERATORS,
    SKIP,
    STEM,
    Cell,
    Network,
    dcnas_space,
    edges,
    grid,
    level_paths,
    live_cells,
    neighbour_space,
    pruned,
    standalone,
    with_inputs,
)
from segmentation.dcnas.wirings import unet


def settled(*cells: tuple[int, int, tuple[str, ...]], **change) -> Network:
    made = [Cell(stride=stride, layer=layer, inputs=inputs, op=SKIP) for stride, layer, inputs in cells]
    return replace(Network(cells={cell.name: cell for cell in made}, width=4), **change)


def test_auto_deeplab_has_75025_level_paths():
    assert level_paths(neighbour_space(layers=12)) == 75_025


@pytest.mark.parametrize("layers", range(3, 9))
def test_level_paths_are_every_other_fibonacci_number(layers):
    # the stem at level 0, and steps of -1, 0 or 1 among four levels: F(2n + 1)
    fibonacci = [0, 1]
    while len(fibonacci) <= 2 * layers + 1:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    assert level_paths(neighbour_space(layers=layers)) == fibonacci[2 * layers + 1]


def test_connections_of_the_paper():
    found = list(edges(dcnas_space(layers=14, gradual=False)))
    assert sum(source != STEM for source, _ in found) == 16 * 14 * 13 // 2 == 1456
    assert sum(source == STEM for source, _ in found) == 4 * 14
    assert len(set(found)) == len(found)


def test_a_cell_reads_all_earlier_ones_and_none_other():
    space = dcnas_space(layers=4)
    for cell in space.cells.values():
        earlier = [STEM, *(other.name for other in space.cells.values() if other.layer < cell.layer)]
        assert isinstance(cell.inputs, ManyOf) and list(cell.inputs.options) == earlier
        assert (cell.inputs.low, cell.inputs.high) == (1, min(2, len(earlier)))
        assert cell.op.options == OPERATORS
    assert len(OPERATORS) == 7
    assert size(dcnas_space(layers=1, strides=(4,), operators=(SKIP, "ir_k3_e3"))) == 2


def test_cells_begin_where_their_stride_is_reached():
    assert grid(3, (4, 8, 16, 32), gradual=True) == [(4, 1), (8, 1), (4, 2), (8, 2), (16, 2), (4, 3), (8, 3), (16, 3), (32, 3)]
    assert len(grid(3, (4, 8, 16, 32), gradual=False)) == 12
    assert [cell.name for cell in dcnas_space(layers=3).outputs] == ["s4_l3", "s8_l3", "s16_l3", "s32_l3"]


def test_dense_connections_hold_those_of_neighbours():
    near, dense = set(edges(neighbour_space(layers=6))), set(edges(dcnas_space(layers=6)))
    assert near < dense


def test_only_cells_between_stem_and_output_are_live():
    net = settled(
        (4, 1, (STEM,)),
        (8, 1, (STEM,)),  # read by s8_l2 alone, which nobody reads
        (4, 2, ("s8_l9",)),  # has no path from the stem
        (8, 2, ("s8_l1",)),
        (4, 3, ("s4_l1", "s4_l2")),
        (8, 3, ("s4_l2",)),
    )
    assert live_cells(net) == ("s4_l1", "s4_l3")
    left = pruned(net)
    assert {name: cell.inputs for name, cell in left.cells.items()} == {"s4_l1": (STEM,), "s4_l3": ("s4_l1",)}
    assert pruned(left) == left


def test_a_network_without_a_path_is_refused():
    with pytest.raises(UserError, match="no path leads from the stem to an output"):
        pruned(settled((4, 1, (STEM,)), (4, 2, ("s8_l1",))))


def test_pruning_keeps_every_output_of_an_architecture():
    space = dcnas_space(layers=5)
    for i in range(20):
        net = decode(space, sample(space, stream(0, "prune", i)))
        left = standalone(net)
        assert [cell.name for cell in left.outputs] == [cell.name for cell in net.outputs]
        assert left.partial == 1 and live_cells(left) == tuple(left.cells)
        assert all(left.cells[name].inputs == net.cells[name].inputs for name in left.cells)


def test_unet_goes_down_and_up_with_every_scale_joined():
    space = dcnas_space(layers=6)
    cells = pruned(decode(space, unet(space))).cells
    assert {name: cell.inputs for name, cell in cells.items()} == {
        "s8_l1": (STEM,),
        "s16_l2": ("s8_l1",),
        "s32_l3": ("s16_l2",),
        "s16_l4": ("s16_l2", "s32_l3"),
        "s8_l5": ("s8_l1", "s16_l4"),
        "s4_l6": (STEM, "s8_l5"),
        "s8_l6": ("s8_l5",),
        "s16_l6": ("s16_l4",),
        "s32_l6": ("s32_l3",),
    }
    assert [name for name, cell in cells.items() if cell.op == SKIP] == ["s8_l6", "s16_l6", "s32_l6"]
    assert all(cell.op in (SKIP, "ir_k5_e6") for cell in pruned(decode(space, unet(space, "ir_k5_e6"))).cells.values())


@pytest.mark.parametrize("name", [name for name in SIZES if "neighbour" not in name])
def test_unet_is_in_every_dense_size(name):
    space = SIZES[name].space()
    network = pruned(decode(space, unet(space)))
    assert len(network.outputs) == len({cell.stride for cell in space.cells.values()})
    joined = [cell for cell in network.cells.values() if len(cell.inputs) == 2]
    assert len(joined) == len(network.outputs) - 1


@pytest.mark.parametrize("name", ["small-neighbour", "paper-neighbour"])
def test_among_neighbours_unet_is_carried_from_layer_to_layer(name):
    space = SIZES[name].space()
    cells = pruned(decode(space, unet(space))).cells
    joined = [cell for cell in cells.values() if len(cell.inputs) == 2]
    assert [cell.stride for cell in joined] == [16, 8, 4]
    for cell in joined:  # by what came down at its stride, and by the map below
        assert cell.inputs == (f"s{cell.stride}_l{cell.layer - 1}", f"s{2 * cell.stride}_l{cell.layer - 1}")
    path = [cell for cell in cells.values() if cell.op != SKIP]
    assert len({cell.layer for cell in path}) == len(path) == max(cell.layer for cell in space.cells.values())


def test_inputs_can_be_limited_otherwise():
    space = with_inputs(dcnas_space(layers=3, strides=(4, 8)), 3)
    assert decisions(space).keys() == decisions(dcnas_space(layers=3, strides=(4, 8))).keys()
    assert [space.cells[name].inputs.high for name in ("s4_l1", "s4_l2", "s4_l3")] == [1, 3, 3]
    assert with_inputs(space, 2) == dcnas_space(layers=3, strides=(4, 8))
    with pytest.raises(UserError, match="inputs=0"):
        with_inputs(space, 0)


@pytest.mark.parametrize("name", [name for name in SIZES if "paper" not in name])
def test_sizes_have_decisions_named_by_their_cells(name):
    space = SIZES[name].space()
    assert decisions(space).keys() == {f"cells.{cell}.{what}" for cell in space.cells for what in ("inputs", "op")}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dcnas_space(strides=(4, 12)), "each twice the one before"),
        (lambda: dcnas_space(strides=()), "one stride at least"),
        (lambda: dcnas_space(layers=2), r"2 layers do not reach stride 32 from 4; give 3 at least"),
        (lambda: neighbour_space(layers=0, strides=(4,)), "give 1 at least"),
        (lambda: dcnas_space(inputs=0), "inputs=0: a cell has one input at least"),
        (lambda: unet(dcnas_space(layers=5)), r"5 layers: .* takes 6; give so many"),
        (lambda: unet(neighbour_space(layers=6, inputs=1)), "of 2 inputs"),
        (lambda: unet(dcnas_space(layers=6, inputs=1)), "use a space of 2 inputs"),
        (lambda: unet(dcnas_space(layers=6), "conv"), "operator 'conv' is none of the space's"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
