"""Search, train and describe classifiers: `python -m classification.train darts --recipe smoke`."""

from classification.systems import SYSTEMS
from common.commands import run_script

if __name__ == "__main__":
    run_script("classification", SYSTEMS)
