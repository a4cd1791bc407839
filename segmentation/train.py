"""Search, train and describe segmentation networks: `python -m segmentation.train dcnas --recipe smoke`."""

from common.commands import run_script
from segmentation.systems import SYSTEMS

if __name__ == "__main__":
    run_script("segmentation", SYSTEMS)
