"""Publish every stream live/NAME once more as relay/NAME."""

import asyncio
import sys

import fastflv


async def relay(server: fastflv.Server, source: fastflv.StreamName) -> None:
    """Publish *source* under its other name until it ends."""
    try:
        async with server.publish(f"relay/{source.stream}") as publisher:
            async for tag in server.stream(source):
                await publisher.write(tag)
    except fastflv.PublishError as error:
        print(error)


async def relay_all(server: fastflv.Server) -> None:
    """Do so for each stream that begins."""
    relayed: dict[fastflv.StreamName, asyncio.Task[None]] = {}
    async for event in server.events():
        if isinstance(event, fastflv.StreamEvent) and event.step is fastflv.StreamStep.BEGAN:
            # A stream whose publisher has returned begins again, and its relay goes on.
            running = relayed.get(event.name)
            if event.name.app == "live" and (running is None or running.done()):
                relayed[event.name] = asyncio.create_task(relay(server, event.name))


async def main(config: str) -> None:
    async with fastflv.Server(config) as server:
        await relay_all(server)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
