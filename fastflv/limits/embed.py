"""Programs that run a server beside their own event loop."""

from __future__ import annotations

from typing import Final

READER_BATCH_BYTES: Final = 256 * 1024
"Tags that a reader takes from the log at once, bytes: 4 s at 500 kbit/s, so that one which keeps up takes all that is new. A batch pins its pages."

READER_PINNED_BYTES: Final = 64 * 1024 * 1024
"Pages that the tags of one reader may keep in memory, bytes: 64 pages of the largest size, twice what a log keeps. Whoever keeps tags for longer copies them."

PUBLISHER_WAITING_BYTES: Final = 256 * 1024
"Bytes of a publish that are on their way from the program to the thread of the server: as much as one read of a socket takes. Beyond it the program waits."

VIEWS_A_TURN: Final = 200
"Views of streams or clients that are made in one turn of the server's loop: 5 us each."

CALLBACK_SECONDS: Final = 5.0
"Time that a callback has, seconds, unless the program says otherwise: viewers wait for it, and leave after some 10."

CALLBACKS_MAX: Final = 1000
"Callbacks that decide at once, unless the program says otherwise: each is a task of some 4 KiB and a socket that waits. 1,000 joins a second with answers after a second need as many."

CALLBACK_THREADS: Final = 32
"Callbacks that are `def` run on so many threads: one that asks a database for 10 ms decides 3,000 joins a second. A thread costs 100 KiB."

EVENTS_WAITING: Final = 1000
"Events that wait for one who takes them: beyond it the oldest are dropped and counted. 300 streams that end at once make 600."

HELD_CALLBACK_SECONDS: Final = 0.1
"A step of an `async def` callback that holds the event loop for longer is logged, seconds: every viewer who asks meanwhile waits as long."

HELD_LOOP_SECONDS: Final = 0.2
"A turn of the program's event loop that takes longer is logged with what runs, seconds: readers are late by five pictures."

HELD_LOOP_LOOK_SECONDS: Final = 0.1
"How often the thread of the watchdog looks at the loop, seconds: half of HELD_LOOP_SECONDS, and ten wake-ups a second cost 0.1 % of a core."

READER_WAITS_SECONDS: Final = 1e9
"A reader of an edge has the origins asked for a stream that none has for so long, seconds: until it is closed."
