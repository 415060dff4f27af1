"""Other people's servers that the tests run beside ours: nginx and proxies from Debian's packages, and SRS by option."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from server import HOST, Log, until

NGINX = """\
{load}
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr info;
events {{ }}
{blocks}
"""
MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")
SRS = """\
listen {port};
max_connections 100;
daemon off;
pid {folder}/srs.pid;
srs_log_tank console;
vhost __defaultVhost__ {{ {vhost} }}
"""


def binary(name: str) -> str:
    """Path of a program; skip without it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"no {name}")
    return found


def nginx_module(name: str) -> Path:
    """Path of a module of nginx, `stream` or `rtmp`; skip without it."""
    found = next((path for at in MODULES if (path := Path(at) / f"ngx_{name}_module.so").exists()), None)
    if found is None:
        pytest.skip(f"no nginx with its {name} module")
    return found


def load_module(name: str) -> str:
    """The statement of nginx that loads a module; skip without it."""
    return f"load_module {nginx_module(name)};"


def srs_binary() -> str:
    """Path of SRS; skip without it."""
    found = os.environ.get("FASTFLV_SRS")
    if not found:
        pytest.skip("FASTFLV_SRS names no SRS")
    return found


@contextmanager
def running(words: Sequence[str], ports: Sequence[int], folder: Path) -> Iterator[None]:
    """Run a server in *folder* until it listens on *ports*, and on."""
    process = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    log = Log(process.stderr)
    try:
        for port in ports:
            until(lambda port=port: log.ended or accepts(port), f"{words[0]} listens on {port}", 20)
        assert not log.ended, log.text()
        yield
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@contextmanager
def nginx(folder: Path, blocks: str, port: int, load: str = "") -> Iterator[None]:
    """Run nginx, which listens on *port*. *load*: statements before all others."""
    with running([binary("nginx"), *_nginx(folder, blocks, load)], [port], folder):
        yield


def nginx_takes(folder: Path, blocks: str, load: str = "") -> None:
    """Have nginx test a configuration; AssertionError with its complaint."""
    words = [binary("nginx"), "-t", *_nginx(folder, blocks, load)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def _nginx(folder: Path, blocks: str, load: str) -> list[str]:
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, load=load, blocks=blocks))
    return ["-p", str(folder), "-c", str(file)]


@contextmanager
def srs(folder: Path, port: int, vhost: str) -> Iterator[None]:
    """Run SRS, which listens on *port*, with *vhost* in its default vhost."""
    file = folder / "srs.conf"
    file.write_text(SRS.format(folder=folder, port=port, vhost=vhost))
    with running([srs_binary(), "-c", str(file)], [port], folder):
        yield


PULL = "rtmp {{ server {{ listen {host}:{port}; application live {{ live on; pull rtmp://{host}:{origin}/live; }} }} }}"


@contextmanager
def pulled_by_nginx(folder: Path, port: int, origin: int) -> Iterator[None]:
    """Run nginx on *port*, which pulls from the RTMP server at *origin* what is asked for."""
    with nginx(folder, PULL.format(host=HOST, port=port, origin=origin), port, load_module("rtmp")):
        yield


@contextmanager
def pulled_by_srs(folder: Path, port: int, origin: int) -> Iterator[None]:
    """Likewise SRS."""
    with srs(folder, port, f"cluster {{ mode remote; origin {HOST}:{origin}; }}"):
        yield


def accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True
