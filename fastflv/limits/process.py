"""The process: stopping, garbage collection."""

from __future__ import annotations

from typing import Final

GC_OBJECTS: Final = 10_000
"Objects made before the collector of cycles looks at the young ones (Python's default is 700 or 2,000): a live server makes few cycles, and a look costs by what it finds alive, 0.3 to 0.8 us an object. It falls into any turn of the event loop: what 1,000 players leave takes 3 to 8 ms."

GC_YOUNG_LOOKS: Final = 0
"Looks at young objects alone between two that take in the survivors of the last one, count (Python's default is 10): with 0 no look takes in more than twice GC_OBJECTS."

GC_FULL_LOOKS: Final = 300
"Such looks between two at all objects, count: some six millions made. Python's default, 10, had all objects of 8,000 players looked at twice as they came, which took 50 and 110 ms."

SWITCH_SECONDS: Final = 0.001
"Time after which a thread that runs Python lets another one run, seconds (Python's default is 0.005): the event loop waits for so long where a thread packs a clip."

STOP_SECONDS: Final = 2.0
"Time that players get to take their last bytes when the server stops, seconds."

STOP_CLOSE_SECONDS: Final = 0.5
"Time that peers get to close their connections when the server stops, seconds: two round trips to anywhere."

STOP_STEP_SECONDS: Final = 0.02
"How often a stopping server looks whether they did, seconds."

RELOAD_LOOK_SECONDS: Final = 1.0
"How often the files of the configuration are looked at for `inotify_auto_reload`, seconds: one stat each. A change is taken once it rests for one more look (SRS waits 3 s)."

COMMAND_LINE_BYTES: Final = 256
"Longest line of a command that a running server is asked by its socket, bytes; the longest is `reload`."

COMMAND_BACKLOG: Final = 4
"Commands that may wait to be accepted at once: operators and their scripts."

COMMAND_IDLE_SECONDS: Final = 5.0
"Time to send a command, and to take its answer, seconds: both are local."

COMMAND_ANSWER_SECONDS: Final = 60.0
"Time that `fastflv reload` waits for the outcome, seconds: a reload of a large server takes some hundred milliseconds."

GRACE_LOOK_SECONDS: Final = 1.0
"How often a server that quits gracefully looks whether clients are left, seconds (as SRS)."

LOG_FOLD_SECONDS: Final = 60.0
"Span in which repeated lines of the log are counted, seconds: an operator reads a minute late how many there were."

LOG_FOLD_CHARS: Final = 128 * 1024
"Characters of lines of one form that one peer causes in such a span: some 900 joins or refusals, so a crowd behind one address is seen. A peer that floods the log writes 2 KB a second by each form."

LOG_FOLD_FORMS: Final = 512
"Forms and peers counted apart in such a span; those that come later share one bound. Each costs 300 bytes, and a line where it was folded."

LOG_LINE_CHARS_MAX: Final = 4096
"Longest line of the log, characters; the rest is cut. Names and reasons that peers send are 1,024 long at most."

LOG_TRACE_CHARS: Final = 2048
"What a traceback counts as, characters: ten frames."

CLOSED_PIPE_STATUS: Final = 141
"Exit status when the reader of the output has left: what shells show for SIGPIPE (128 + 13)."

HEAP_TRIM_SECONDS: Final = 2.0
"From the freeing of much memory to its return to the system, seconds: once for many streams, muxers and viewers that end."

PARCEL_DESCRIPTORS: Final = 200
"Descriptors passed at once between two processes; the kernel takes 253 (SCM_MAX_FD)."

UPGRADE_START_SECONDS: Final = 60.0
"Time that a new version gets to start, read its configuration and bind what is new, seconds: the old one serves meanwhile."

UPGRADE_TAKE_SECONDS: Final = 3.0
"Time of a whole handover, from the last byte that the old version sends to its commit, seconds. Nothing is sent or read meanwhile: 500 players and 5 publishers take 0.1 s, and players have some seconds in their buffers."

UPGRADE_PAST_BYTES: Final = 4 * 1024 * 1024
"Pages of a stream's past that are handed over at once, bytes: the event loop of the new process copies them in 5 ms."

UPGRADE_PAST_SECONDS: Final = 10.0
"Time for one such portion, seconds: it may have to be read from a slow disk."

UPGRADE_DRAIN_STEP_SECONDS: Final = 0.1
"How often the old process looks whether answers in progress are given, seconds: it costs a look at each connection that is left."

UPGRADE_DRAIN_SECONDS: Final = 30.0
"Time that answers in progress get in the old process after an upgrade, seconds: downloads of files are cut then."

WORKERS_MAX: Final = 64
"Most workers of one machine, count: each has an event loop, its threads, and some 30 MB."

WORKER_ANSWER_SECONDS: Final = 10.0
"How long parent and workers wait for each other's answers, seconds: a reload of a large server takes some hundred milliseconds."

WORKER_LEAVE_SECONDS: Final = 2.0
"How long a publisher that takes a name over waits until the worker that had it has stored its last segment, seconds: some milliseconds on a good disk."

WORKER_PAUSE_SECONDS: Final = 0.1
"Pause before a worker that died is started again, seconds; twice as long each time that it dies soon."

WORKER_PAUSE_SECONDS_MAX: Final = 10.0
"Longest such pause, seconds: whatever makes it die, the machine is not busy with starts."

WORKER_STEADY_SECONDS: Final = 30.0
"A worker that lived for so long had a good start, seconds: the next pause is short again."

WORKER_HOMES_MAX: Final = 10_000
"Streams of which is remembered which worker had them, beyond those that are live, count: some 300 bytes each."

WORKER_RELAY_SECONDS: Final = 40.0
"How long a worker waits for the head of an answer of another one, seconds: above HLS_HOLD_SECONDS, for which a playlist waits for its first segment, behind a hook that takes its time."

WORKER_BODY_SECONDS: Final = 15.0
"Silence within the body of such an answer, after which it is broken off, seconds: a worker that was stopped holds no viewer for longer."

WORKER_RELAY_BYTES: Final = 256 * 1024
"Largest answer of another worker that is taken whole before it is passed on, bytes: playlists, and segments of audio; larger ones are passed on as they come."

WORKER_RELAY_LINKS: Final = 32
"Idle connections that a worker keeps to each other one for such requests, count: each has a place in `max_connections` there."
