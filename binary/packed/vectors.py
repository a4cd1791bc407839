"""The innermost loop of the numba kernels, written for LLVM in vectors.

LLVM makes of a popcount of 64 bytes what the processor has: one instruction with AVX-512 (BITALG), table lookups of half bytes
with AVX2, sums of masked bits elsewhere. Of a loop over bytes it makes code that takes three times as long.

Numba keeps what it has compiled of `with_numba.py` until that file changes; it does not see changes of this one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic
from numba.np.arrayobj import make_array

from binary.packed.geometry import LANES


def _differing(across: bool) -> Callable[..., Any]:
    """A function that adds the differing bits of two rows from the rows of all lanes to their sums.

    Args:
        across: each lane has a byte of its own in a row of activations; otherwise all lanes have the same one.
    """

    @intrinsic
    def differing(
        typing: Any, weights: Any, begin: Any, rows: Any, one: Any, other: Any, step: Any, first: Any, last: Any, sums: Any
    ) -> tuple[Any, Callable[..., Any]]:
        """Types and code of `differing(weights, begin, rows, one, other, step, first, last, sums)`.

        `weights` and `rows` are flat, of uint8. `begin` is where the rows of weights lie; `one` and `other` are where two rows of
        activations lie, with `step` between their bytes. Bytes `first` to `last` are counted, at most STEPS. `sums` has the
        shape (2, LANES) and the type uint16.
        """
        signature = types.void(weights, types.intp, rows, *[types.intp] * 5, sums)

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            bytes_, shorts = ir.VectorType(ir.IntType(8), LANES), ir.VectorType(ir.IntType(16), LANES)
            weights, rows, sums = (make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 2, 8))
            begin, begins, (step, first, last) = args[1], args[3:5], args[5:8]

            def load(pointer: Any, offset: Any, kind: Any) -> Any:
                there = builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())
                return builder.load(there, align=1)

            kind = ir.FunctionType(bytes_, [bytes_])
            popcount = cgutils.get_or_insert_function(builder.module, kind, f"llvm.ctpop.v{LANES}i8")
            counts = [cgutils.alloca_once_value(builder, ir.Constant(bytes_, None)) for _ in begins]
            length = builder.sub(last, first)
            with cgutils.for_range(builder, length) as loop:
                k = builder.add(first, loop.index)
                weight = load(weights, builder.add(begin, builder.mul(k, ir.Constant(k.type, LANES))), bytes_)
                for row, count in zip(begins, counts):
                    offset = builder.add(row, builder.mul(k, step))
                    if across:
                        values = load(rows, offset, bytes_)
                    else:
                        none = ir.Constant(bytes_, ir.Undefined)
                        one = builder.insert_element(none, load(rows, offset, ir.IntType(8)), ir.Constant(ir.IntType(32), 0))
                        values = builder.shuffle_vector(one, none, ir.Constant(ir.VectorType(ir.IntType(32), LANES), None))
                    found = builder.call(popcount, [builder.xor(weight, values)])
                    builder.store(builder.add(builder.load(count), found), count)
            for i, count in enumerate(counts):
                there = builder.bitcast(builder.gep(sums, [ir.Constant(first.type, i * LANES)]), shorts.as_pointer())
                wide = builder.zext(builder.load(count), shorts)
                store = builder.store(builder.add(builder.load(there, align=2), wide), there)
                store.align = 2
            return context.get_dummy_value()

        return signature, code

    return differing


differing_across, differing_within = _differing(True), _differing(False)
