"""The compiled core: chunks, tags, the media log and the threads that send it."""

from importlib.util import find_spec

if find_spec("fastflv._ext.ingest.sink") is None:
    raise ImportError(
        "fastflv is not compiled here: run `make build` in the checkout, or `pip install .` and start it elsewhere"
    )
