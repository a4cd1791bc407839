"""A student that begins with the most important filters of its teacher."""

from __future__ import annotations

import pytest
import torch

from common.supernet import Supernet, opened
from common.supernet.paths import extreme
from gan.compression.model import build
from gan.compression.space import Generator, open_space, uniform
from gan.compression.transfer import begin_with

PICTURE = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
TEACHER = uniform(12, blocks=3)


def scattered():
    """A teacher whose weights and biases are all different."""
    network = build(TEACHER, 5)
    with torch.no_grad():
        for name, p in network.named_parameters():
            p.normal_(0, 0.1, generator=torch.Generator().manual_seed(sum(map(ord, name))))
    return network


def test_a_student_as_wide_computes_what_its_teacher_computes():
    """All filters are kept, in another order: sums are the same up to rounding."""
    teacher, student = scattered(), build(TEACHER, 0)
    begin_with(teacher, student)
    torch.testing.assert_close(student(PICTURE), teacher(PICTURE), rtol=1e-4, atol=1e-5)
    assert not torch.equal(student.stem[0].weight, teacher.stem[0].weight)


def test_filters_that_are_nothing_are_left_out_first():
    """Zeroed filters of every layer are the unimportant ones: a student without them computes the same."""
    teacher = scattered()
    narrow = Generator(stem=8, down=8, trunk=8, hidden=(8, 4, 8), up=(4, 8), blocks=3)
    rng = torch.Generator().manual_seed(1)

    def drop(conv, keep: int, *, transposed: bool = False) -> torch.Tensor:
        width = conv.weight.shape[1 if transposed else 0]
        out = torch.randperm(width, generator=rng)[keep:]
        with torch.no_grad():
            (conv.weight.transpose(0, 1) if transposed else conv.weight)[out] = 0
            conv.bias[out] = 0
        return out

    drop(teacher.stem[0], 8)
    drop(teacher.down[0][0], 16)
    gone = drop(teacher.down[1][0], 32)
    for block, hidden in zip(teacher.blocks, (32, 16, 32), strict=True):
        drop(block.first[2], hidden)
        with torch.no_grad():
            block.second[2].weight[gone] = 0
            block.second[2].bias[gone] = 0
            for conv in (block.first[0], block.second[0]):
                conv.bias.zero_()  # a norm makes nothing of a constant
    drop(teacher.up[0][0], 8, transposed=True)
    drop(teacher.up[1][0], 8, transposed=True)
    student = build(narrow, 0)
    begin_with(teacher, student)
    torch.testing.assert_close(student(PICTURE), teacher(PICTURE), rtol=1e-4, atol=1e-5)


def test_the_most_important_come_first_so_that_narrow_students_have_them():
    teacher = scattered()
    student = build(TEACHER, 0)
    begin_with(teacher, student)
    for conv in (student.stem[0], student.down[0][0], student.down[1][0], student.blocks[0].first[2]):
        norms = conv.weight.abs().sum((1, 2, 3))
        assert (norms[:-1] >= norms[1:] - 1e-5).all()
    norms = student.up[0][0].weight.abs().sum((0, 2, 3))
    assert (norms[:-1] >= norms[1:] - 1e-5).all()


def test_a_supernet_is_filled_as_its_widest_student():
    space = open_space("tiny", 3)
    teacher, network, alone = scattered(), build(opened(space), 0), build(uniform(12, blocks=3), 0)
    begin_with(teacher, network)
    begin_with(teacher, alone)
    widest = Supernet(network, space).extract(extreme(space, largest=True), build)
    assert all(torch.equal(p, q) for p, q in zip(widest.parameters(), alone.parameters(), strict=True))


def test_a_wider_student_is_no_student():
    with pytest.raises((RuntimeError, IndexError)):
        begin_with(build(uniform(4, blocks=3)), build(uniform(8, blocks=3)))
