"""Run `python -m benchmarks.files`."""

from __future__ import annotations

import sys

from benchmarks.files.cli import main

sys.exit(main())
