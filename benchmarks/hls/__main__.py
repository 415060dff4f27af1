"""Run `python -m benchmarks.hls`."""

from __future__ import annotations

import sys

from benchmarks.hls.cli import main

sys.exit(main())
