"""Search, train and describe graph networks: `python -m graphs.train pdnas --recipe smoke`."""

from common.commands import run_script
from graphs.systems import SYSTEMS

if __name__ == "__main__":
    run_script("graphs", SYSTEMS)
