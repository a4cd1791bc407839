"""Which decisions keep a parameter in the network, against the parameters of networks built for every architecture."""

from typing import Any

import pytest
from torch import nn

from common.cost.conditions import ABSENT, conditions_of
from common.cost.presence import Living, Membership, ParameterGroup, conditioned, memberships, parameter_groups
from common.space import ManyOf, OneOf, Repeat, decode, enumerate_all
from common.supernet import choose, choose_many, conv2d, fmap, opened, repeat
from common.trace import slots_of, sums_members


def conv(kernel: int) -> nn.Module:
    return nn.Conv2d(2, 2, kernel, padding=kernel // 2)


class Net(nn.Module):
    """Parameters outside all decisions, in options, in options of options, in members of subsets, in layers, and shared."""

    def __init__(self, space: Any) -> None:
        super().__init__()
        self.stem = conv(1)
        self.shared = conv(1)
        self.first = choose(space["first"], self.option)
        self.many = choose_many(space["many"], lambda member: choose(fmap(lambda k: k, member), conv))
        self.deep = repeat(space["deep"], lambda _, kernel: choose(kernel, conv))
        self.both = choose(fmap(lambda a, b: a == b, space["a"], space["b"]), lambda same: self.shared if same else nn.Identity())
        del self.shared  # from here on the decisions alone lead to it

    def option(self, kind: Any) -> nn.Module:
        if isinstance(kind, dict):
            return nn.Sequential(choose(kind["kernel"], conv), nn.BatchNorm2d(2))
        return self.shared if kind == "shared" else nn.Identity()


SPACE = {
    "first": OneOf({"kernel": OneOf(1, 3)}, "shared", "none"),
    "many": ManyOf((OneOf(1, 3), 1, 5), 1, 2),
    "deep": Repeat(OneOf(1, 3), OneOf(0, 1, 2)),
    "a": OneOf(0, 1),
    "b": OneOf(0, 1),
}


def grouped(space: Any, module: nn.Module) -> list[ParameterGroup]:
    conditions = conditions_of(space)
    members = {id(part): memberships(part, conditions) for part in module.modules() if sums_members(part)}
    return parameter_groups(module, members, lambda module, name: (1,))


def test_present_groups_are_the_parameters_of_the_built_network_and_depend_on_their_decisions_alone():
    net = Net(opened(SPACE))
    groups, slots = grouped(SPACE, net), slots_of(net)
    assert sum(group.amounts[0] for group in groups) == sum(parameter.numel() for parameter in net.parameters())
    known: list[dict[tuple[int, ...], bool]] = [{} for _ in groups]
    for i, arch in enumerate(enumerate_all(SPACE)):
        for path, slot in slots.items():
            slot.active = arch.get(path, 0)
        present = [group.present(Living()) for group in groups]
        for group, seen, now in zip(groups, known, present, strict=True):
            key = tuple(arch.get(path, ABSENT) for path in sorted(group.paths))
            assert seen.setdefault(key, now) == now, "it depends on more than `paths`"
        if i % 5 == 0:
            size = sum(group.amounts[0] for group, now in zip(groups, present, strict=True) if now)
            assert size == sum(parameter.numel() for parameter in Net(decode(SPACE, arch)).parameters()), arch


def test_paths_of_groups():
    net = Net(opened(SPACE))
    found = {group.paths: group for group in grouped(SPACE, net)}
    inner = next(path for path in slots_of(net) if path.endswith(".kernel"))
    member = next(path for path in slots_of(net) if path.startswith("many["))
    names = [frozenset(), {"first"}, {"first", inner}, {member}, {"many"}, {"deep.count", "deep.0"}, {"first", "a", "b"}]
    for paths in names:
        assert frozenset(paths) in found, paths
    assert found[frozenset()].amounts[0] == 6, "the stem's weight and bias together"
    assert len(found[frozenset({"first", "a", "b"})].chains) == 2


def test_an_elastic_parameter_is_a_group_of_its_own():
    space = {"width": OneOf(2, 4), "bottom": OneOf(0, 1)}
    net = opened(space)
    layer = conv2d(3, net["width"], 1)
    module = nn.Sequential(choose(net["bottom"], lambda b: layer if b else nn.Identity()), nn.BatchNorm2d(4))
    elastic, plain = ([g for g in grouped(space, module) if (g.elastic is None) == same] for same in (False, True))
    assert [group.elastic for group in elastic] == [(layer, id(layer.weight)), (layer, id(layer.bias))]
    assert [group.amounts[0] for group in elastic] == [12, 4] and [group.amounts[0] for group in plain] == [8]
    assert {group.paths for group in elastic} == {frozenset({"bottom"})}, "its own width is the tracer's business"
    assert [group.present(Living()) for group in (*elastic, *plain)] == [False, False, True]


def test_memberships_and_the_active_subset_afterwards():
    space = (ManyOf(("fixed", OneOf(1, 3), OneOf(1, 5)), 1, 3),)
    (value,) = opened(space)
    many = choose_many(value, lambda member: nn.Identity())
    value.slots[0].active = 4
    first, second, third = memberships(many, conditions_of(space))
    paths = [path for path in conditions_of(space) if "[" in path]
    assert (first, second) == (Membership("0", False, frozenset()), Membership("0", False, frozenset(paths[:1])))
    assert third.implied == frozenset(paths[1:]) and value.slots[0].active == 4


@pytest.mark.parametrize(("low", "always"), [(2, True), (1, False)])
def test_a_member_of_every_subset(low, always):
    space = (ManyOf((OneOf(1, 3), 7), low, 2),)
    many = choose_many(opened(space)[0], lambda member: nn.Identity())
    assert [member.always for member in memberships(many, conditions_of(space))] == [always, always]


def test_a_layer_shared_by_members_depends_on_the_subset_as_well():
    space, shared = (ManyOf((7, OneOf(1, 3)), 1, 2),), conv(1)
    inner = next(path for path in conditions_of(space) if "[" in path)

    def member(value: Any) -> nn.Module:
        return shared if isinstance(value, int) else choose(value, lambda k: shared if k == 3 else nn.Identity())

    (group,) = grouped(space, choose_many(opened(space)[0], member))
    assert group.paths == {"0", inner} and len(group.chains) == 2


def test_conditioned():
    taken = Membership("m", False, frozenset({"inside"}))
    always = Membership("every", True, frozenset())
    assert conditioned(frozenset({"a"}), [taken, always]) == {"a", "m"}
    assert conditioned(frozenset({"inside"}), [taken]) == {"inside"}, "who knows the operation knows that the edge is taken"
    assert conditioned(frozenset({"inside"}), [taken, Membership("n", False, frozenset())]) == {"inside", "n"}
    assert conditioned(frozenset(), []) == frozenset()


def test_buffers_and_missing_parameters_belong_to_no_group():
    module = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))
    (group,) = grouped((), module)
    assert group.amounts[0] == 3 and group.paths == frozenset() and group.present(Living())
