"""`python -m fastflv`."""

import sys

from fastflv.control.cli import main

sys.exit(main())
