"""Words to the service manager: sd_notify(3), for `Type=notify` of systemd."""

from __future__ import annotations

import logging
import os
import socket
from typing import Final

log = logging.getLogger(__name__)

VARIABLE: Final = "NOTIFY_SOCKET"
READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"


def main_process(pid: int) -> str:
    """Process *pid* is the service from now on."""
    return f"MAINPID={pid}"


def notify(word: str) -> None:
    """Tell the service manager, where one has started this process. A failure is logged: the server goes on."""
    address = os.environ.get(VARIABLE, "")
    if not address:
        return
    if address.startswith("@"):
        # An abstract name.
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(word.encode(), address)
    except OSError as error:
        log.warning("the service manager is not told %s: %s", word, error)
