"""Parts without weights that many decisions set together: which maps a node reads, and what it does with them.

`choose` makes a module for every combination of the options it reads, which is right for modules with weights. A pyramid of seven
nodes has 10**15 wirings; a node of it is made anew for the options that are active, of a description as it is.

>>> from common.space import ManyOf, OneOf
>>> from common.supernet.open import opened
>>> net = opened({"inputs": ManyOf((0, 1, 2), 2, 2), "op": OneOf("sum", "max")})
>>> settled_value(net)
{'inputs': (0, 1), 'op': 'sum'}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from common.errors import UserError
from common.space.walk import fields_of
from common.supernet.choice import Deciding
from common.supernet.open import Open, OpenRepeat, current


class Weightless(Deciding):
    """A module without weights, made anew for the active options of a description."""

    def __init__(self, description: Any, make: Callable[[Any], nn.Module], sized_by: Any) -> None:
        super().__init__()
        found = {tuple(map(id, value.slots)): value for value in open_values(description)}
        self.decisions = tuple(found.values())
        self._description, self._make = description, make
        self._sized_by = sized_by
        self._made: tuple[tuple[int, ...], nn.Module] | None = None

    def forward(self, *inputs: Any) -> Any:
        """Returns what the module of the active options gives."""
        return self.plain()(*inputs)

    def plain(self) -> nn.Module:
        """Returns the module of the active options.

        Raises:
            UserError: it has weights or buffers.
        """
        key = tuple([slot.active for decision in self.decisions for slot in decision.slots])
        if self._made is None or self._made[0] != key:
            module = self._make(settled_value(self._description))
            if held := [name for name, _ in (*module.named_parameters(), *module.named_buffers())]:
                raise UserError(
                    f"weightless makes a {type(module).__name__} with {held[0]!r}: what it makes is thrown away with the next "
                    "architecture; make modules with weights by choose, or around it"
                )
            self._made = key, module
        return self._made[1]

    def sized_by(self) -> tuple[Open, ...]:
        """Returns the readings that set the sizes of the output; see `common.trace.sized_by`."""
        return tuple(open_values(self._sized_by))


def weightless(description: Any, make: Callable[[Any], nn.Module], sized_by: Any = ()) -> nn.Module:
    """Returns `make(description)` where the description is settled, else a module that makes it for the options in turn.

    The outputs of all options must have as many dimensions as each other, and the same channels. Sizes of the third and later
    dimensions may differ by the open values in `sized_by`, and by what the inputs' sizes depend on beside the description's own
    decisions. Costs are counted with that; a trace that finds other sizes is refused.

    Args:
        description: any data with open values in it: dataclasses, tuples, dicts.
        make: settled description -> module without parameters or buffers.
        sized_by: open values that set the sizes of the output; `()` where its sizes are the same under every option.

    Raises:
        UserError: a module that is made has weights.
    """
    if not any(True for _ in open_values(description)):
        return make(description)
    return Weightless(description, make, sized_by)


def open_values(value: Any) -> Iterator[Open]:
    """Yields every open value in data, those inside options too."""
    if isinstance(value, Open):
        yield value
        for meaning in value.meanings:
            yield from open_values(meaning)
        return
    if isinstance(value, OpenRepeat):
        yield from open_values(value.active)
    for part in _parts(value):
        yield from open_values(part)


def _parts(value: Any) -> tuple[Any, ...]:
    if isinstance(value, tuple | list):
        return tuple(value)
    if isinstance(value, dict):
        return tuple(value.values())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tuple(getattr(value, name) for name in fields_of(type(value)))
    return ()


def settled_value(value: Any) -> Any:
    """Returns data with every open value replaced by its active option."""
    if isinstance(value, Open):
        return settled_value(value.value())
    if isinstance(value, OpenRepeat):
        return tuple(settled_value(part) for part in value[: current(value.active)])
    if isinstance(value, tuple | list):
        return tuple(settled_value(part) for part in value)
    if isinstance(value, dict):
        return {key: settled_value(part) for key, part in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        return kind(**{name: settled_value(getattr(value, name)) for name in fields_of(kind)})
    return value
