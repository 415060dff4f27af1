"""Listeners, sockets and certificates."""

from __future__ import annotations

from typing import Final

CONNECTIONS_RESERVED: Final = 128
"Descriptors kept free under the open-file limit for listeners, logs, files and API_CONNECTIONS_KEPT (as SRS)."

API_CONNECTIONS_KEPT: Final = 32
"Connections that the API's own listeners take above `max_connections`, count: an operator, monitoring and a few scripts, when everything else is taken."

CONNECTION_DESCRIPTORS_MAX: Final = 3
"Descriptors of one connection at most: its socket, a duplicate for the thread that sends (WebSocket and RTMP players, downloads) or for a feed (publishers), and a file."

ACCEPT_REST_SECONDS: Final = 1.0
"Pause of a listener that found no descriptor free, seconds: the socket stays readable all the time."

DESCRIPTOR_CHECK_SECONDS: Final = 5.0
"How often a free descriptor is looked for, seconds: 20 us each time, and an operator should read of it while it lasts."

LISTEN_BACKLOG: Final = 4096
"Connections that wait to be accepted: a join storm of 2,000 a second may fill two seconds of it."

TURN_SECONDS: Final = 0.004
"Time that requests and messages besides media may take in one turn of the event loop, seconds: ten of usual cost. What is over waits for the next turn, behind media and behind who waited before. The longest single one takes 5 ms, so a turn stays below 10 ms."

TURN_COUNT: Final = 64
"Peers that have their turn in one turn of the loop, count: what is begun there may end later, above all a close, which takes 50 us behind it."

TURN_CROWD: Final = 8
"Turns with something queued after which objects count as a crowd's, for the collector of cycles: 500 peers make 14,000 of them, a look at which takes 4 to 8 ms."

CROWD_RATE: Final = 500
"Players that come and go in a second, count, from which on the event loop rests between two looks at its sockets: below it one look would seldom find two."

CROWD_SPAN_SECONDS: Final = 0.05
"Span in which they are counted, seconds: 25 make a crowd, and it is over as soon."

CROWD_REST_SECONDS: Final = 0.005
"From one look to the next in a crowd, seconds: ten players at 2,000 a second. A request that comes meanwhile waits as long; media does not."

READ_SECONDS: Final = 0.002
"What the reads of an RTMP connection in one turn may cost, seconds: half of TURN_SECONDS. A read of 256 KiB of usual media costs 0.1 to 0.3 ms."

READ_GAP_SECONDS: Final = 0.0005
"Reads of one socket less than this apart count as one, seconds: between two of them lies the copy of 256 KiB, 0.05 ms. Longer, and others had their turn."

READ_FIRST_BYTES: Final = 16 * 1024
"The first read of a connection, bytes: it doubles while that is cheap, so that the dearest content costs some milliseconds before it is known."

READ_BYTES_MIN: Final = 1024
"Smallest read, bytes: below, the turns cost more than the content."

LATE_SECONDS: Final = 0.25
"A timer that rings later than this was held up: the process was stopped, or the machine, seconds. Deadlines of peers are extended by as much."

FEED_SECONDS: Final = 0.004
"Sockets of publishers are read all together so often, once reads come faster than this, seconds: a wake-up of the event loop costs as much as three reads. It adds 2 ms of delay at the mean."

FEED_IDLE_COUNT: Final = 32
"The loop watches its feeds again after one read of all that found nothing, and for each so many feeds after one more, count. The kernel walks over all feeds where a loop begins to watch them: 8 % of what 1,000 publishers cost."

LOW_WATER_SECONDS: Final = 0.5
"How often a publisher's receive low-water mark is chosen, seconds; a lone command lies unread for two looks at most. Longer than any gathering, so that a look without new media is rare where there is no silence."

LOOK_STEP_SECONDS: Final = 0.02
"Marks whose time comes within this are chosen together, seconds: a timer of the event loop costs more than a look."

LOW_WATER_ALONE_SECONDS: Final = 0.4
"A publisher whose stream nobody reads gathers about this much media before it wakes the event loop, seconds: 2.5 wake-ups a second instead of 70. With 0.2, 1,000 publishers cost 1.3 x as much."

LOW_WATER_GATHER_SECONDS: Final = 0.2
"Likewise where recorders or HLS alone read it, seconds: a segment is there so much later, or two looks later where pictures are few or keyframes large."

LOW_WATER_LOOKS: Final = 4
"Looks over which the bit rate is averaged, count: a GOP of 2 s. Without that each second look changes the mark, and a change costs as much as a read."

LOW_WATER_SOUND_SECONDS: Final = 0.06
"Sound waits for the next picture for so long at most where a stream is watched, seconds: players are sent both together, and below 16 pictures a second sound goes by itself."

LOW_WATER_GROWTH: Final = 8
"The smallest picture that is expected grows by so much a look at most, one part in count: one large picture says nothing about the next."

LOW_WATER_BYTES_MIN: Final = 64
"A mark below this gathers nothing, bytes: one frame of sound has more."

LOW_WATER_BYTES_MAX: Final = 32 * 1024
"And never more than this, bytes: half of the smallest window that Linux offers by default, so that the sender is never held up."

KEEPALIVE_IDLE_SECONDS: Final = 60
"The kernel asks an RTMP player that was silent for this long whether it is there, seconds: a paused one may stay for hours, one whose network vanished for two minutes."

KEEPALIVE_STEP_SECONDS: Final = 15
"Without an answer it asks again after this, seconds."

KEEPALIVE_PROBES: Final = 4
"Questions without an answer, count, after which it is gone."

CERTIFICATE_CHECK_SECONDS: Final = 2.0
"How often the files of certificates are looked at, seconds: two stat calls each, off the event loop. Renewals are weeks apart; whoever replaces a file by hand should not have to wait."

CONNECTIONS_DEFAULT_MAX: Final = 100_000
"max_connections without a configuration file is what the open-file limit allows, up to this."

PROXY_HEADER_BYTES_MAX: Final = 4096
"Longest body of a PROXY protocol v2 header, bytes. Addresses take 12 to 216; the rest is options, a client certificate of 2 KiB being the longest in use."

FORWARDED_HOPS_MAX: Final = 16
"Members of X-Forwarded-For or Forwarded that are read, from the right. Chains of proxies are 1 to 4 long; each costs some 5 us."

QUIET_READ_COUNT: Final = 128
"Sockets of peers with little to say that the event loop reads itself, count: all of them may end within one turn, which takes 5 ms."

QUIET_WAKE_COUNT: Final = 32
"Of all others, those with input or an end that are read in one turn, count: 1.3 ms where they end."

HELLO_BYTES_MAX: Final = 16 * 1024
"Longest ClientHello that is waited for before its handshake begins, bytes: OpenSSL takes none beyond. Those of browsers have 0.5 to 2 KB."

HELLO_RECORDS_MAX: Final = 16
"Records of a ClientHello, count. Clients send it in one; some that evade filters in two or three."

TLS_TURN_SECONDS: Final = 0.002
"What a handshake costs behind the turn of the loop in which it begins, seconds: the signature by a key of RSA 2048 bits, and the objects of the connection."

HANDSHAKES_MAX: Final = 512
"TLS handshakes that go on at one time, count: all of them may end within one turn of the loop, 30 ms. At 600 a second, what a core can do, a client has 0.8 s for its answer before it gives way."
