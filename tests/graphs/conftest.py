"""PyTorch Geometric warns on its first import; the package's own import of it does not, so it must be the first."""

import graphs.geometric  # noqa: F401
