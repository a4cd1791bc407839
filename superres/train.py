"""Search, train, describe and use networks for super-resolution: `python -m superres.train hnas --recipe smoke`."""

from common.commands import run_script
from superres.command import upscale
from superres.systems import SYSTEMS

MORE = {"upscale": upscale}
"""Commands besides those of the systems, by name."""

if __name__ == "__main__":
    run_script("superres", SYSTEMS, MORE)
