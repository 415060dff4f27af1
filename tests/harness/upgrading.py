"""A server that is upgraded while it runs: one process after the other, found by their pid file."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from command import ask
from patience import SILENCE
from reloading import ChangingServer


class UpgradingServer(ChangingServer):
    """A server with a pid file. All its processes write one log."""

    def __init__(self, folder: Path, vhosts: str = "", *, more: str = "", **rest: Any) -> None:
        self.pid_file = folder / "server.pid"
        super().__init__(folder, vhosts, more=f"pid {self.pid_file}; {more}", **rest)

    @property
    def present(self) -> int:
        """The process that serves."""
        return int(self.pid_file.read_text())

    @property
    def first(self) -> int:
        """The process that the supervisor has started."""
        return self.pid

    @property
    def keeps(self) -> bool:
        """The first process keeps the one that serves."""
        return "keeper.py" in Path(f"/proc/{self.first}/cmdline").read_text()

    def upgrade(self, status: int = 0) -> dict[str, Any]:
        """Run `fastflv upgrade`; return its report."""
        return ask("upgrade", "--pid", self.pid_file, status=status)

    def __exit__(self, *failure: object) -> None:
        if self.pid_file.exists() and self.present != self.pid:
            self._stop(self.present)
        super().__exit__(*failure)
        assert not self.pid_file.exists(), "the last process removes the file"

    def _stop(self, pid: int) -> None:
        """End the newest process, which is no child of the test."""
        with suppress(ProcessLookupError):
            watch = os.pidfd_open(pid)
            try:
                os.kill(pid, signal.SIGTERM)
                ended, _, _ = select.select([watch], [], [], 10 * SILENCE)
                assert ended, "the upgraded server did not stop within 10 s of SIGTERM"
            finally:
                os.close(watch)
