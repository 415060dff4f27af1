"""A real Redis, from Debian's packages: plain, with a password, over TLS, behind Sentinels."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from model.ports import free_ports
from server import HOST, until
from tlsfiles import Pair


class RedisServer:
    """One process. Use as a context manager; `stop` and `start` in between lose all that it holds."""

    def __init__(
        self,
        folder: Path,
        *lines: str,
        port: int = 0,
        password: str = "",
        tls: Pair | None = None,
        sentinel: bool = False,
    ) -> None:
        """*lines*: of its configuration file. *sentinel*: it is one."""
        self.port = port or free_ports(1)[0]
        self._program = "redis-sentinel" if sentinel else "redis-server"
        if shutil.which(self._program) is None:
            pytest.skip(f"no {self._program}")
        where = (
            f"port 0\ntls-port {self.port}\ntls-cert-file {tls.cert}\ntls-key-file {tls.key}\n"
            f"tls-ca-cert-file {tls.cert}\ntls-auth-clients no\n"
            if tls is not None
            else f"port {self.port}\n"
        )
        text = where + f"bind {HOST}\ndir {folder}\n" + "".join(f"{line}\n" for line in lines)
        if not sentinel:
            text += 'save ""\n'
        if password:
            text += f"requirepass {password}\nmasterauth {password}\n"
        self._file = folder / f"redis-{self.port}.conf"
        self._file.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    def start(self) -> None:
        words = [self._program, str(self._file)]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens, f"{self._program} listens", 20)

    def stop(self) -> None:
        """Kill it, as a machine that fails does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(20)

    def _listens(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), 1).close()
        except OSError:
            return False
        return True

    def url(self, scheme: str = "redis", password: str = "") -> str:
        return f"{scheme}://{f':{password}@' if password else ''}{HOST}:{self.port}/0"
