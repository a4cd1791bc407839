"""How worker processes are started."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext


def server() -> ForkServerContext:
    """Starts processes as forks of a server that has imported torch, once for all pools of this process.

    A fork of this process could hang once it has computed with torch; the server has only imported it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch"])
    return context
