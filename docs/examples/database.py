"""Let those play who have a key in a database, each of them twice at most: `CREATE TABLE users (name, key)`."""

import asyncio
import sqlite3
import sys
from collections import Counter

import fastflv


class Gatekeeper:
    """Knows who plays. Its methods belong to the loop; `user_of` blocks, and runs on a thread."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._users: dict[str, str] = {}
        "Users by client id."
        self.playing: Counter[str] = Counter()

    def user_of(self, key: str) -> str:
        """Return whose key it is, empty where it is nobody's."""
        with sqlite3.connect(self._database) as database:
            row = database.execute("SELECT name FROM users WHERE key = ?", (key,)).fetchone()
        return row[0] if row else ""

    async def on_play(self, request: fastflv.AccessRequest) -> fastflv.Verdict:
        user = await asyncio.to_thread(self.user_of, request.query.get("key", ""))
        if not user:
            return fastflv.unauthorized("play with ?key=")
        if self.playing[user] >= 2:
            return fastflv.forbid("you play twice already")
        self.playing[user] += 1
        self._users[request.client_id] = user
        return fastflv.ALLOW

    async def on_stop(self, event: fastflv.ClientEvent) -> None:
        # Each client that on_play allowed comes here once, also where its stream was not there.
        self.playing[self._users.pop(event.request.client_id)] -= 1


async def main(config: str, database: str) -> None:
    keeper = Gatekeeper(database)
    async with fastflv.Server(config, on_play=keeper.on_play, on_stop=keeper.on_stop):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
