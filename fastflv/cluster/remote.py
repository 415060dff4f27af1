"""Connections to other servers: how they are made, and why one could not be."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from functools import cache, partial
from typing import TypeVar

from fastflv import limits

Made = TypeVar("Made", bound=asyncio.BaseProtocol)


@cache
def tls_context(*, verify: bool = True) -> ssl.SSLContext:
    """Return what a client speaks TLS with. *verify* off: any certificate is taken. The first call reads some 150 files."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def load_tls(loop: asyncio.AbstractEventLoop, *, verify: bool = True) -> ssl.SSLContext:
    """Return `tls_context`, made on a thread the first time."""
    return await loop.run_in_executor(None, partial(tls_context, verify=verify))


async def connect(
    loop: asyncio.AbstractEventLoop,
    make: Callable[[], Made],
    host: str,
    port: int,
    *,
    secure: bool = False,
    verify: bool = True,
) -> Made:
    """Connect, with a TLS handshake where *secure*; return the protocol that *make* made.

    Raises OSError; TimeoutError after REMOTE_CONNECT_SECONDS is one.
    """
    context = await load_tls(loop, verify=verify) if secure else None
    async with asyncio.timeout(limits.REMOTE_CONNECT_SECONDS):
        _, protocol = await loop.create_connection(make, host, port, ssl=context)
    return protocol


def fault_of(error: OSError | UnicodeError) -> str:
    """Return why a connection was not made or was lost, one clause."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"it does not speak TLS as it should: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved: {error.strerror}"
    if isinstance(error, TimeoutError):
        return f"no connection within {limits.REMOTE_CONNECT_SECONDS:g} s"
    if isinstance(error, UnicodeError):
        return "its name is none"
    # Event loops write the address into the text of the error.
    return (os.strerror(error.errno) if error.errno else str(error) or type(error).__name__).lower()
