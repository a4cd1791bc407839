"""Values of a space that could mean nothing are refused when they are written."""

import pytest

from common.errors import UserError
from common.space import ManyOf, OneOf, Repeat


@pytest.mark.parametrize("count", [-1, 2.5, True, [1, 2], "2", None, OneOf("a", 1), OneOf(1, -2), OneOf(1, 2.0)])
def test_the_number_of_copies_is_a_whole_number(count):
    with pytest.raises(UserError, match=r"Repeat has .* copies: give a whole number of 0 or more, or OneOf of such numbers"):
        Repeat(OneOf(1, 3), count)


def test_a_subset_is_taken_of_a_sequence():
    with pytest.raises(UserError, match=r"ManyOf\(1, ...\): give a sequence of options, then how many are taken, least and most"):
        ManyOf(1, 2, 3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="ManyOf takes 'a' to 2 of 2 options: give whole numbers"):
        ManyOf((1, 2), "a", 2)  # pyright: ignore[reportArgumentType]
