"""Parcels: plain values, bytes and descriptors that one process gives another through a Unix socket.

A parcel is JSON. `bytes` and memoryviews in it stand in a file in memory, which goes with it; a `Descriptor` is passed by
SCM_RIGHTS. What was a memoryview is one of that file where it is received, and no copy.
Calls block: until a moment of the monotonic clock that is the same for all calls of a handover.

Layout: 12 bytes (descriptors, size of the JSON text; big-endian) with the descriptor of the file, which holds the text
and the bytes behind it; then the other descriptors, some at a time, with one byte each time.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, fields
from time import monotonic
from typing import Any, Final, TypeVar

from fastflv import limits
from fastflv.errors import HandoverError

HEAD: Final = struct.Struct(">IQ")
BYTES: Final = "$bytes"
VIEW: Final = "$view"
DESCRIPTOR: Final = "$fd"

MALFORMED: Final = (LookupError, TypeError, ValueError, OverflowError, AttributeError)
"What reading a value of another type, size or shape than expected raises."

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """An open descriptor in a parcel. It is borrowed where it is sent, and owned by who reads it."""

    fd: int


def _wait_until(sock: socket.socket, until: float | None) -> None:
    """Have the next call of *sock* block up to *until* at most. Raises TimeoutError where that is past."""
    left = until - monotonic() if until is not None else None
    if left is not None and left <= 0:
        raise TimeoutError
    sock.settimeout(left)


def send_parcel(sock: socket.socket, values: object, until: float | None = None) -> None:
    """Send *values*, *until* then at most; None: whatever time it takes. Raises OSError; TimeoutError where nobody reads."""
    blobs: list[bytes | memoryview] = []
    descriptors: list[int] = []
    size = 0

    def encode(value: object) -> object:
        nonlocal size
        if isinstance(value, bytes | memoryview):
            length = memoryview(value).nbytes
            blobs.append(value)
            size += length
            return {BYTES if isinstance(value, bytes) else VIEW: [size - length, length]}
        if isinstance(value, Descriptor):
            descriptors.append(value.fd)
            return {DESCRIPTOR: len(descriptors) - 1}
        raise TypeError(f"a parcel cannot hold {value!r}")

    text = json.dumps(values, default=encode).encode()
    memory = os.memfd_create("fastflv-parcel", os.MFD_CLOEXEC)
    try:
        with os.fdopen(memory, "wb", closefd=False) as file:
            file.write(text)
            file.writelines(blobs)
        _wait_until(sock, until)
        socket.send_fds(sock, [HEAD.pack(len(descriptors), len(text))], [memory])
    finally:
        os.close(memory)
    for at in range(0, len(descriptors), limits.PARCEL_DESCRIPTORS):
        _wait_until(sock, until)
        socket.send_fds(sock, [b"."], descriptors[at : at + limits.PARCEL_DESCRIPTORS])


class Parcel:
    """What was received. `close` it: descriptors that nobody has taken are closed, and its memory is freed."""

    def __init__(self, values: dict[str, Any], descriptors: list[int]) -> None:
        self.values = values
        self._left = set(descriptors)

    def take(self, value: object) -> int:
        """Return the descriptor that *value* stands for; it is the caller's. Raises HandoverError where there is none."""
        if not isinstance(value, Descriptor) or value.fd not in self._left:
            raise HandoverError("a descriptor is missing")
        self._left.remove(value.fd)
        return value.fd

    def close(self) -> None:
        self.values = {}
        while self._left:
            with suppress(OSError):
                os.close(self._left.pop())


def receive_parcel(sock: socket.socket, until: float | None = None) -> Parcel:
    """Wait for a parcel, *until* then at most.

    Raises OSError, EOFError where the other process is gone, and HandoverError for what is none.
    """
    _wait_until(sock, until)
    head, received, _, _ = socket.recv_fds(sock, HEAD.size, 1)
    if not head:
        raise EOFError
    descriptors: list[int] = []
    memory = received[0] if received else -1
    try:
        if len(head) < HEAD.size or memory < 0:
            raise HandoverError("it is no parcel")
        count, size = HEAD.unpack(head)
        while len(descriptors) < count:
            _wait_until(sock, until)
            byte, received, _, _ = socket.recv_fds(sock, 1, limits.PARCEL_DESCRIPTORS)
            descriptors += received
            if not byte or not received:
                raise EOFError
        for fd in descriptors:
            os.set_inheritable(fd, False)
        values = _read(memory, size, descriptors)
        if not isinstance(values, dict):
            raise HandoverError("it is no object")
        return Parcel(values, descriptors)
    except BaseException:
        for fd in descriptors:
            os.close(fd)
        raise
    finally:
        if memory >= 0:
            os.close(memory)


def _read(memory: int, size: int, descriptors: list[int]) -> object:
    """Read the values of a parcel from its file."""
    # It is unmapped with its last view.
    whole = memoryview(mmap.mmap(memory, 0, access=mmap.ACCESS_READ))
    blobs = whole[size:]

    def decode(found: dict[str, Any]) -> object:
        if BYTES in found or VIEW in found:
            at, length = found[BYTES] if BYTES in found else found[VIEW]
            if not 0 <= at <= at + length <= len(blobs):
                raise HandoverError("bytes are missing")
            view = blobs[at : at + length]
            return view if VIEW in found else bytes(view)
        if DESCRIPTOR in found:
            index = found[DESCRIPTOR]
            if not 0 <= index < len(descriptors):
                raise HandoverError("a descriptor is missing")
            return Descriptor(descriptors[index])
        return found

    try:
        return json.loads(bytes(whole[:size]), object_hook=decode)
    except (ValueError, TypeError) as error:
        raise HandoverError(f"it cannot be read: {error}") from error


def bytes_of(value: object) -> bytes:
    """Return *value* where it is bytes. Raises HandoverError: a number would be taken for a size."""
    if not isinstance(value, bytes):
        raise HandoverError(f"{value!r} stands for bytes")
    return value


TYPES: Final[dict[str, Any]] = {"str": str, "int": int, "bool": bool, "float": (int, float)}
"Of the fields of records, by their annotations."

TEXTS: Final = "tuple[str, ...]"
"The annotation of a list of texts."


def read_record(record: type[Record], values: object, /, **given: Any) -> Record:
    """Make a dataclass whose fields are texts, lists of texts, numbers and flags of *values*; those *given* are of other types.

    Raises HandoverError for a field that is missing or of another type.
    """
    if not isinstance(values, dict):
        raise HandoverError(f"{record.__name__} is no object")
    found: dict[str, Any] = dict(given)
    for each in fields(record):  # type: ignore[arg-type]
        if each.name in given:
            continue
        value = values.get(each.name)
        if each.type == TEXTS:
            if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
                raise HandoverError(f"{record.__name__}.{each.name} is {value!r}")
            found[each.name] = tuple(value)
            continue
        if not isinstance(value, TYPES[str(each.type)]) or (each.type != "bool" and isinstance(value, bool)):
            raise HandoverError(f"{record.__name__}.{each.name} is {value!r}")
        found[each.name] = value
    return record(**found)
