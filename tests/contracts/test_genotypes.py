"""Laws 6 and 7 of docs/architecture.md, on every system listed: architectures as files, and the published ones."""

import json
import re
from random import Random

import pytest
import torch

from common.arch import from_json, to_json
from common.errors import UserError
from common.space import decisions, decode, sample
from tests.contracts.cases import CASES, SYSTEMS, WITHOUT_COUNTS, Case, reordered

PUBLISHED = [(task, system, name) for task, system in SYSTEMS for name in system.published()]


@pytest.mark.parametrize("case", CASES, ids=[f"{c.task}-{c.system.name}-{c.name}" for c in CASES])
def test_law_6_an_architecture_survives_its_file(case: Case):
    moved = reordered(case.space)
    for i, arch in enumerate(case.archs(5, "files")):
        text = json.dumps(to_json(case.space, arch))
        again = from_json(case.space, json.loads(text))
        assert again == arch
        assert list(again) == list(arch)
        assert decode(case.space, again) == decode(case.space, arch)
        if i == 0:
            with torch.device("meta"):
                assert next(case.system.build(decode(case.space, again)).parameters()).is_meta
        with pytest.raises(UserError) as refused:
            from_json(moved, json.loads(text))
        assert set(re.findall(r"'([^']+)'", str(refused.value))) & set(decisions(case.space))


APART = [(task, system) for task, system in SYSTEMS if not system.spaces()]


@pytest.mark.parametrize(("task", "system"), APART, ids=[f"{task}-{system.name}" for task, system in APART])
def test_law_6_genotypes_survive_in_systems_without_a_supernet(task, system):
    space = next(iter(system.published().values())).description()
    for seed in range(5):
        arch = sample(space, Random(seed))
        again = from_json(space, json.loads(json.dumps(to_json(space, arch))))
        assert again == arch
        with torch.device("meta"):
            assert next(system.build(decode(space, again)).parameters()).is_meta


@pytest.mark.parametrize(("task", "system", "name"), PUBLISHED, ids=[f"{t}-{s.name}-{n}" for t, s, n in PUBLISHED])
def test_law_7_a_published_network_is_a_value_of_its_space(task, system, name):
    published = system.published()[name]
    space, arch = published.description(), published.arch()
    with torch.device("meta"):
        network = system.build(decode(space, arch))
    params = sum(p.numel() for p in network.parameters())
    assert params > 0
    if published.params is not None:
        assert params == published.params
    if published.params is not None or published.macs is not None:
        described = system.described(system.describing(arch=name))
        assert published.params in (None, described["params"])
        assert published.macs in (None, described["macs"])
    if published.costs:
        described = system.described(system.describing(arch=name))
        assert {cost: described[cost] for cost in published.costs} == published.costs


@pytest.mark.parametrize(("task", "system"), SYSTEMS, ids=[f"{t}-{s.name}" for t, s in SYSTEMS])
def test_law_7_every_system_has_counts_to_check(task, system):
    assert any(p.params is not None or p.costs for p in system.published().values()) == (system.name not in WITHOUT_COUNTS)
