"""Decide in Python who may publish and play."""

import asyncio
import sys

import fastflv

KEYS = {"x": "secret"}
"Key of each stream; a real program asks its database."


async def on_publish(request: fastflv.AccessRequest) -> fastflv.Verdict:
    key = request.query.get("key")
    if not key:
        return fastflv.unauthorized("publish with ?key=")
    return fastflv.ALLOW if KEYS.get(request.stream) == key else fastflv.forbid("this key is wrong")


async def on_play(request: fastflv.AccessRequest) -> fastflv.Verdict:
    if request.stream == "moved":
        return fastflv.Redirected("http://other.example.com/live/moved.flv")
    return fastflv.ALLOW


async def on_stop(event: fastflv.ClientEvent) -> None:
    print(f"{event.request.peer.ip} left {event.name.url}: {event.reason}, {event.sent} bytes")


async def main(config: str) -> None:
    server = fastflv.Server(config, on_publish=on_publish, on_play=on_play, on_stop=on_stop)
    async with server:
        async for event in server.events():
            print(event)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
