"""Has processes that Python starts be without the library of the sanitizer, unless they are Python: `sanitized.sh` puts it in the way."""

import os
import sys

os.environ.pop("LD_PRELOAD", None)
sys.executable = os.environ["FASTFLV_SANITIZED"]
