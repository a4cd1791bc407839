"""The boxes outside others cover each entry that no box covers, once."""

import pytest
import torch

from common.streams import stream
from common.supernet.idle import around, covers, outside


@pytest.mark.parametrize("dimensions", [1, 2, 4])
def test_boxes_outside_boxes(dimensions):
    rng = stream(0, "boxes", dimensions)
    for _ in range(200):
        shape = tuple(rng.randint(1, 6) for _ in range(dimensions))
        used = []
        for _ in range(rng.randint(0, 3)):
            starts = [rng.choice([None, rng.randrange(n)]) for n in shape]
            used.append(tuple(slice(s, rng.randint(s or 0, n)) for s, n in zip(starts, shape, strict=True)))
        covered = torch.zeros(shape, dtype=torch.int64)
        for region in outside(shape, used):
            assert all(part.start < part.stop for part in region)
            covered[region] += 1
        mask = torch.ones(shape, dtype=torch.int64)
        for box in used:
            mask[box] = 0
        assert torch.equal(covered, mask), (shape, used)
        if len(used) == 1:
            assert covers(shape, used[0]) == (not mask.any())
        if used:
            box = around(shape, used)
            outline = torch.zeros(shape, dtype=torch.int64)
            outline[box] = 1
            for axis in range(dimensions):  # each side of it touches one of the boxes
                assert box[axis].start == min(part[axis].start or 0 for part in used)
                assert box[axis].stop == max(part[axis].stop for part in used)
            covered = torch.zeros(shape, dtype=torch.int64)
            for region in outside(shape, used, box):
                covered[region] += 1
            assert torch.equal(covered, mask * outline), (shape, used)
