"""Search, train and describe binary networks: `python -m binary.train binary-width --recipe smoke`."""

from binary.systems import SYSTEMS
from common.commands import run_script

if __name__ == "__main__":
    run_script("binary", SYSTEMS)
