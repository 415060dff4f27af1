from typing_extensions import Buffer

from fastflv._ext.mux.remux import Describe

def mux(flv: Buffer, describe: Describe) -> bytes:
    """Return a whole FLV file as MPEG-TS. Raises FlvHeaderError."""
