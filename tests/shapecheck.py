"""The checker that pytest's jaxtyping hook puts on every function of the packages named in pyproject.toml.

While the tests run it holds arguments and results to their annotations, shapes of tensors included. A name that a
module imports under `if TYPE_CHECKING` is unknown at run time and stays unchecked: import `jaxtyping` and `Tensor`
outside of it.
"""

from beartype import BeartypeConf, beartype

# As for static type checkers, an int is a float.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
