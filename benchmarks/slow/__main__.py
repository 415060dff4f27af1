"""Run `python -m benchmarks.slow`."""

from __future__ import annotations

import sys

from benchmarks.slow.cli import main

sys.exit(main())
