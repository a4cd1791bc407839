"""mmdetection is imported when it is needed, and not before."""

import subprocess
import sys


def test_importing_the_package_does_not_import_mmdet():
    code = "import sys, detection.mm; print([m for m in sys.modules if m.split('.')[0] in ('mmdet', 'mmcv', 'mmengine')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
