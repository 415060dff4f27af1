"""Sockets that a supervisor opened: which are taken over, which listener gets them, and what is refused."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from fastflv.config.endpoint import Endpoint
from fastflv.errors import StartupError
from fastflv.net import activation
from fastflv.net.activation import inherited_sockets, refuse_unused, take_socket

HOST = "127.0.0.1"
CHILD = """
import os, sys
from fastflv.net.activation import FIRST_FD, inherited_sockets
given = [int(word) for word in sys.argv[1:]]
copies = [os.dup(fd) for fd in given]
for number, fd in enumerate(copies):
    os.set_inheritable(os.dup2(fd, FIRST_FD + number), True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(given)), "LISTEN_FDNAMES": "a:b"}
found = inherited_sockets(os.environ)
for sock in found:
    print(sock.fileno(), sock.getsockname()[1], sock.get_inheritable(), sock.getblocking())
print([name for name in os.environ if name.startswith("LISTEN_")])
"""
"A service as systemd starts it: sockets from descriptor 3 on, and three variables."


@pytest.fixture
def opened():
    """Open listening sockets; those still open are closed after the test."""
    with ExitStack() as stack:

        def open_one(host: str = HOST, *, listen: bool = True) -> socket.socket:
            sock = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
            sock.bind((host, 0))
            sock.setblocking(False)
            if listen:
                sock.listen()
            return sock

        yield open_one


def port_of(sock: socket.socket) -> int:
    return sock.getsockname()[1]


def announced(**more: str) -> dict[str, str]:
    """The variables for this process and one socket."""
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http", "HOME": "/"} | more


# --- taking over ---


def test_a_service_takes_over_all_sockets_of_its_supervisor(opened):
    socks = [opened(), opened()]
    fds = [sock.fileno() for sock in socks]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, fds)],
        pass_fds=fds, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    first, second = (port_of(sock) for sock in socks)
    assert child.stdout.splitlines() == [f"3 {first} False False", f"4 {second} False False", "[]"]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        announced(LISTEN_PID="1"),
        announced(LISTEN_PID=""),
        announced(LISTEN_FDS=""),
        announced(LISTEN_FDS="-1"),
        announced(LISTEN_FDS="one"),
        announced(LISTEN_FDS="0"),
    ],
)
def test_sockets_that_are_not_announced_to_this_process_are_left_alone_and_the_variables_go(environ):
    environ = dict(environ)
    assert inherited_sockets(environ) == []
    assert environ.keys() <= {"HOME"}


def test_a_socket_that_does_not_listen_is_refused_with_what_to_do(opened, monkeypatch):
    sock = opened(listen=False)
    monkeypatch.setattr(activation, "FIRST_FD", os.dup(sock.fileno()))
    with pytest.raises(StartupError, match=r"does not listen; use ListenStream= and Accept=no"):
        inherited_sockets(announced())


def test_a_descriptor_that_is_no_socket_is_refused(tmp_path, monkeypatch):
    fd = os.open(tmp_path, os.O_RDONLY)
    monkeypatch.setattr(activation, "FIRST_FD", fd)
    with pytest.raises(StartupError, match=f"descriptor {fd} of LISTEN_FDS is no socket"):
        inherited_sockets(announced())
    os.close(fd)


# --- which endpoint gets which socket ---


def test_a_socket_goes_to_the_endpoint_that_it_is_bound_to_and_to_no_other(opened):
    one, other = opened(), opened()
    sockets = [one, other]
    assert take_socket(sockets, Endpoint(HOST, port_of(other))) is other
    assert take_socket(sockets, Endpoint(HOST, port_of(other))) is None
    assert take_socket(sockets, Endpoint("127.0.0.2", port_of(one))) is None
    assert take_socket(sockets, Endpoint("", port_of(one))) is None
    assert take_socket(sockets, Endpoint(HOST, 0)) is None
    assert sockets == [one]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_socket_of_every_interface_is_for_an_endpoint_without_address(opened, host):
    try:
        sock = opened(host)
    except OSError:
        pytest.skip("no IPv6")
    assert take_socket([sock], Endpoint(HOST, port_of(sock))) is None
    assert take_socket([sock], Endpoint("", port_of(sock))) is sock
    assert take_socket([sock], Endpoint(host, port_of(sock))) is sock


def test_a_unix_socket_is_for_no_endpoint(tmp_path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        assert take_socket([sock], Endpoint("", 0)) is None
        with pytest.raises(StartupError, match="which no `listen` names"):
            refuse_unused([sock])


def test_no_socket_unused_is_no_error():
    refuse_unused([])
