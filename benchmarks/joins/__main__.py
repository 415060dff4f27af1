"""Run `python -m benchmarks.joins`."""

from __future__ import annotations

import sys

from benchmarks.joins.cli import main

sys.exit(main())
