"""`python -m fastflv`."""

import sys

from fastflv.tools.cli import main

sys.exit(main())
