"""Origins and edges."""

from __future__ import annotations

from typing import Final

PULL_LINGER_SECONDS: Final = 3.0
"Default `linger`: how long an edge pulls on when the last viewer has left, seconds. A viewer who changes back, or loads a page again, is there within it; SRS stops at once."

PULL_RETRY_SECONDS: Final = 1.0
"Pause before the origins are asked again that could not be reached, seconds (SRS: 3). A refused connection costs 0.1 ms."

PULL_TRIES_MAX: Final = 8
"Viewers whose parameters origins are asked with one behind the other, count, where those of the last one may have been refused; then comes a pause of PULL_RETRY_SECONDS."

PULL_ABSENT_SECONDS: Final = 1.0
"Streams that no origin has are not asked for again within this, seconds: a page that tries again and again costs the origins one request a second."

PULLS_ABSENT_MAX: Final = 4096
"Such streams that are remembered, count: 200 bytes each. Random names make room for each other."

PULLS_SEEKING_MAX: Final = 512
"Streams that origins are asked for at one time and have not sent yet, count: each is a connection. Random names cost the origins no more than that."

PULL_HOLD_SECONDS: Final = 30.0
"Viewers stay for so long when no origin can be reached, seconds: the restart of an origin and of its encoders. SRS holds them for ever."

PULL_HELD_BYTES_MAX: Final = 16 * 1024 * 1024
"Media that waits until an upstream takes over, bytes: a GOP (GOP_BYTES_MAX). Beyond it, it waits for the next keyframe."

PULL_PLACE_SECONDS: Final = 0.5
"Where there are no pictures, media that is held may begin so often, seconds."

PULL_WARM_SECONDS: Final = 0.5
"A warm upstream keeps what came since the first may have fallen silent unnoticed, and this, seconds: origins are not equally far."

PULL_LOOK_SECONDS: Final = 0.1
"How often all pulls are looked at for one that has stalled, seconds: 1 us each."

STALL_SECONDS_MIN: Final = 0.3
"Shortest silence that is a stall, seconds: a keyframe of a slow link may take as long. A stall opens a second connection and closes none."

STALL_SECONDS_MAX: Final = 4.0
"Longest silence that is none, seconds: cameras with 1 frame in 2 s, twice."

STALL_GAPS: Final = 3.0
"Silence of so many of the stream's own longest gaps is a stall: servers that merge writes over 350 ms are silent for as long."

STALL_GAP_FIRST_SECONDS: Final = 0.25
"Longest gap of a stream of which nothing is known yet, seconds."

STALL_GAP_FADES: Final = 0.98
"What is left of the longest gap at each look: half of it after 3.4 s."

UPSTREAM_HEDGE_SECONDS: Final = 0.25
"An origin that has sent no media by then is not waited for alone: the next one is asked too, seconds. Origins on the same continent answer within 0.1 s."

UPSTREAM_ANSWER_SECONDS: Final = 3.0
"Time for a connection to an origin and its handshake, seconds (SRS: 5 to connect). What answers later is taken for dead."

UPSTREAM_HEAD_SECONDS: Final = 15.0
"Time for the head of an HTTP origin's answer, seconds: fastflv gives it when the stream is there, or after `on_missing`."

UPSTREAM_REDIRECTS_MAX: Final = 4
"Redirects of one attempt that are followed, count (SRS: 3 over HTTP, without end over RTMP)."

UPSTREAM_HEAD_BYTES_MAX: Final = 16 * 1024
"Longest head of an HTTP origin's answer, bytes."

ORIGIN_CHECK_SECONDS: Final = 2.0
"How often an origin that failed is asked for a sign of life, seconds; until then others are asked before it."

ORIGIN_ANNOUNCE_SECONDS: Final = 30.0
"""How often an edge tells each origin that it may go on there, seconds: a connection of its own each time. One that was started anew
keeps no past for edges until then."""

SPLICE_WAIT_SECONDS: Final = 0.3
"How long another origin's media is compared with what players have, seconds: its newest GOP comes at once. Then it goes on at a keyframe."

SPLICE_FRAMES_MIN: Final = 3
"Frames that must agree, count: two pictures without motion may be equal."

SPLICE_BYTES_SURE: Final = 256
"One frame of this size or above is enough, bytes: no two of that size are equal."

PULL_GRACE_MS_MIN: Final = 1500
"Least `grace` of a stream that is fetched, ms: viewers stay while it goes on at another origin's keyframe."

FETCH_SECONDS_MIN: Final = 5.0
"Least time that a viewer of an edge waits for a stream, seconds: `on_missing 0` says how long to wait for a publisher, and the origin is far."

RELAY_RETRY_SECONDS: Final = 0.5
"Pause before the origins are asked again to take a publish whose origin was lost, seconds."

RELAY_HOLD_SECONDS: Final = 10.0
"A publisher is disconnected when no origin has taken its stream for so long, seconds: encoders show it then."

RELAY_ANSWER_SECONDS: Final = 10.0
"Time from the TCP connection until an origin has accepted a publish, seconds: it may ask a hook of its own."

RELAY_READ_BYTES: Final = 16 * 1024
"Receive buffer that all publishes that are passed on share, bytes. An origin says some hundred bytes at the start, then an acknowledgement now and then."
