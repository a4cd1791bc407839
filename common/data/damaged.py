"""What reading a damaged file raises, so that every reader refuses the same files in one line."""

from __future__ import annotations

import zlib
from tokenize import TokenError
from zipfile import BadZipFile

NPZ_ERRORS = (
    OSError,
    MemoryError,
    OverflowError,
    SyntaxError,
    RuntimeError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    NotImplementedError,
    BadZipFile,
    TokenError,
    zlib.error,
)
"""What numpy, zipfile and zlib raise on .npz files that are cut, altered, or lack an array (NotImplementedError: packed by an
unknown method; RuntimeError: with a password; SyntaxError, TokenError, MemoryError, OverflowError: an altered header)."""
