"""The process: stopping, garbage collection."""

from __future__ import annotations

from typing import Final

GC_OBJECTS: Final = 50_000
"Objects made before the collector of cycles looks at the young ones (Python's default is 700 or 2,000): a live server makes few cycles, and a look costs by what it finds alive."

STOP_SECONDS: Final = 2.0
"Time that players get to take their last bytes when the server stops, seconds."

STOP_STEP_SECONDS: Final = 0.02
"How often a stopping server looks whether they did, seconds."

RELOAD_LOOK_SECONDS: Final = 1.0
"How often the files of the configuration are looked at for `inotify_auto_reload`, seconds: one stat each. A change is taken once it rests for one more look (SRS waits 3 s)."

GRACE_LOOK_SECONDS: Final = 1.0
"How often a server that quits gracefully looks whether clients are left, seconds (as SRS)."
