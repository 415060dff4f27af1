"""A thumbnail of each live stream, made anew every few seconds, and served by FastAPI in the same process.

`pip install fastflv av fastapi uvicorn`
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

import av
from fastapi import FastAPI, HTTPException, Response

import fastflv


def jpeg(config: bytes, keyframe: bytes) -> bytes:
    """Decode one keyframe of H.264 and return it as JPEG. Takes milliseconds: call it on a thread."""
    decoder = av.VideoCodecContext.create("h264", "r")
    decoder.extradata = config
    picture = [*decoder.decode(av.Packet(keyframe)), *decoder.decode(None)][0]
    encoder = av.VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    return b"".join(map(bytes, [*encoder.encode(picture.reformat(format="yuvj420p")), *encoder.encode(None)]))


async def thumbnail(server: fastflv.Server, path: str) -> bytes:
    """Return the newest keyframe of a stream as JPEG."""
    config = b""
    async for tag in server.stream(path):
        if tag.kind == fastflv.VIDEO and tag.config:
            config = bytes(tag.data)
        elif tag.keyframe:
            return await asyncio.to_thread(jpeg, config, bytes(tag.data))
    raise LookupError(path)


def application(config: str) -> FastAPI:
    """Return a web application whose live server starts and stops with it."""
    server = fastflv.Server(config)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with server:
            yield

    app = FastAPI(lifespan=lifespan)
    app.state.server = server

    @app.get("/streams")
    async def streams() -> list[dict[str, object]]:
        return [{"path": one.name.url, "video": one.video, "clients": one.clients} for one in server.streams]

    @app.get("/thumbnails/{path:path}.jpg")
    async def picture(path: str) -> Response:
        try:
            async with asyncio.timeout(5):
                return Response(await thumbnail(server, path), media_type="image/jpeg")
        except (TimeoutError, LookupError):
            raise HTTPException(404, "no such stream") from None

    return app


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(application(sys.argv[1]), port=8000)
