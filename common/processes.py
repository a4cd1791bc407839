"""How worker processes are started."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from typing import Any


def server() -> ForkServerContext:
    """Starts processes as forks of a server that has imported torch, once for all pools of this process.

    A fork of this process could hang once it has computed with torch; the server has only imported it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch"])
    return context


def _forget() -> None:
    """A fork starts a server of its own: it cannot wait for that of its parent, which is not its child."""
    state: Any = forkserver._forkserver  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]  # no other way
    if state._forkserver_alive_fd is not None:
        os.close(state._forkserver_alive_fd)  # or the parent's server would outlive the parent
    state.__init__()


os.register_at_fork(after_in_child=_forget)
