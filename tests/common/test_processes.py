"""How worker processes are started."""

import os

from common.processes import server
from tests.common.run.killing import forked, status


def pids_of_two() -> set[int]:
    with server().Pool(1) as pool:
        return {os.getpid(), *pool.map(parent_of, range(2))}


def parent_of(_: int) -> int:
    return os.getppid()


def test_a_fork_of_a_process_that_has_a_server_starts_its_own():
    ours = pids_of_two()
    assert len(ours) == 2, "this process, and its server"

    def in_a_fork() -> None:
        theirs = pids_of_two()
        assert len(theirs) == 2 and not theirs & ours

    assert status(forked(in_a_fork)) == 0
    assert pids_of_two() == ours, "the server of this process goes on"
