"""Search, train, describe and deploy binary networks: `python -m binary.train binary-width --recipe smoke`."""

from binary.command import deploy
from binary.systems import SYSTEMS
from common.commands import run_script

MORE = {"deploy": deploy}
"""Commands besides those of the systems, by name."""

if __name__ == "__main__":
    run_script("binary", SYSTEMS, MORE)
