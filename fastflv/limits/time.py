"""Repair of timestamps."""

from __future__ import annotations

from typing import Final

TIME_BACK_STEP_MS: Final = 250
"A step back within a track up to this is jitter: the tag is held. Beyond it the publisher's clock restarted, ms (SRS uses the same bound)."

TIME_AHEAD_STEP_MS: Final = 10_000
"A step ahead up to this is a gap that players are shown. Beyond it, and unless the wall clock waited as long, it is a clock jump, ms. Cameras at 1 frame in 5 s exist."

TIME_TRACK_SPREAD_MS: Final = 10_000
"Audio and video further apart than this do not belong to one clock, ms."

TIME_SCRIPT_AHEAD_MS: Final = 1000
"Script data may lie ahead of the newest frame by this and by the time that has passed since, ms: a file that is sent faster than it plays has cue points between slow frames. Lag is measured by the newest tag, so a claim beyond it counts as the time of the newest frame."

TIME_FIRST_STEP_MS: Final = 10
"Step assumed after a jump on a track that has shown none, ms (as SRS)."

TIME_EPOCH_MS: Final = (1 << 31) - 3_600_000
"Players are told times up to this, ms; then their responses end at a keyframe, and time counts from 0 again. FLV has 31 bits; an hour is kept for the keyframe to come."

SPLICE_GAP_MS: Final = 1000
"A publisher that returns goes on behind the last tag by the time it was away, but by no more than this, ms: players have nothing to show for the rest."

SPLICE_BURST_MS: Final = 120
"The GOP kept of a publisher on standby takes no less than this when it is played in the place of another, ms: as a compact start (START_SPAN_MS)."

TIME_EPOCH_MOVE_MS: Final = 1000
"Least time by which the first player of a stream is told less than the stream's, ms: nobody sees less, and who waited for the publisher is told its times as they were sent."
