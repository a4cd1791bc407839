"""Decoded pictures that a process keeps in memory, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, Protocol, TypeVar

CACHE_BYTES = 1 << 30
"""Bytes of decoded pictures of one folder that a process keeps."""


class Sized(Protocol):
    """What knows how much memory it takes: an array, or several."""

    @property
    def nbytes(self) -> int:
        """In bytes."""
        ...


Held = TypeVar("Held", bound=Sized)


class Cache(Generic[Held]):
    """Arrays by key; beyond `limit` bytes the least recently used ones are forgotten. A copy in another process is empty."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        """Starts empty.

        Args:
            limit: in bytes.
        """
        self.limit = limit
        self.bytes = 0
        self._held: OrderedDict[Hashable, Held] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Held]) -> Held:
        """What is held under `key`; otherwise what `make` returns, held from now on."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        value = make()  # outside the lock, so that threads decode side by side
        with self._lock:
            if key not in self._held:
                self._held[key] = value
                self.bytes += value.nbytes
            while self.bytes > self.limit:
                self.bytes -= self._held.popitem(last=False)[1].nbytes
        return value

    def __reduce__(self) -> tuple[type[Cache[Held]], tuple[int]]:
        """Pickled as its limit alone."""
        return Cache, (self.limit,)
