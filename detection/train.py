"""Search, train and describe detectors: `python -m detection.train detnas --recipe smoke`."""

from common.commands import run_script
from detection.systems import SYSTEMS

if __name__ == "__main__":
    run_script("detection", SYSTEMS)
