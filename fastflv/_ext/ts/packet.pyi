from typing_extensions import Buffer

def packets(
    payload: Buffer,
    *,
    pid: int,
    stream_id: int,
    pts: int,
    dts: int,
    counter: int = 0,
    pcr: int | None = None,
    restarts: bool = False,
    random_access: bool = False,
    cuts: tuple[int, ...] = (),
) -> bytes:
    """Return one PES in transport packets; the payload is written in pieces that end at *cuts*."""

def pcr_packet(pid: int, counter: int, pcr: int, *, restarts: bool = False) -> bytes:
    """Return a packet with a PCR and no payload; *counter* is that of the packet before."""
