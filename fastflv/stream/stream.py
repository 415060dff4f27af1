"""One live stream: who publishes it, the log its players read, and where a new player starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from fastflv import limits
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv.access.request import AccessRequest
from fastflv.config.model.play import StartMode, TimeJitter
from fastflv.containers import carriage
from fastflv.containers.flv.metadata import read_fields
from fastflv.containers.variant import PLAIN, Variant
from fastflv.errors import AmfError
from fastflv.media.amf import amf0
from fastflv.media.amf.values import EcmaArray, Value
from fastflv.media.codecs import AUDIO, VIDEO
from fastflv.media.inband import make_record
from fastflv.net.parcel import bytes_of
from fastflv.stream.announce import Seen, announce, live_fields, picture_size, promised
from fastflv.stream.histogram import Delays
from fastflv.stream.lag import NO_STEPS, Lag
from fastflv.stream.liveclock import NAME as CLOCK
from fastflv.stream.liveclock import LiveClock
from fastflv.stream.name import StreamName
from fastflv.stream.outlets import Outlet, Outlets
from fastflv.stream.place import Place
from fastflv.stream.start import Start, StartBurst
from fastflv.stream.timeshift import Timeshift, TimeshiftOptions
from fastflv.stream.tracks import BOTH, NONE, Tracks, track_of

RESUMED: Final = ("flv", "rtmp")
"Containers by which servers have streams of each other."

AUTO_WINDOW: Final = -1
"A merge window that follows the load."


NO_MISFITS: Final[frozenset[str]] = frozenset()


class Phase(Enum):
    """Where a stream is in its life. An absent stream has no Stream object."""

    LIVE = "live"
    GRACE = "in grace"
    ENDED = "ended"


JITTER_MODES: Final = {TimeJitter.FULL: 0, TimeJitter.ZERO: 1, TimeJitter.OFF: 2}
"Modes of the timeline (timeline.pxd) by `play.time_jitter`."


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """The settings of a vhost that shape its streams."""

    gop_cache: bool = True
    "Keep the newest GOP, so that players start with a picture."

    begin: StartMode = StartMode.GOP
    "What a player gets first, unless it asks for something else."

    burst: StartBurst = field(default_factory=StartBurst)
    "How much of the past it is sent at once, at most."

    gop_frames_max: int = limits.GOP_FRAMES_MAX
    "A longer GOP is not offered to new players, video frames; 0: no bound."

    gop_bytes_max: int = limits.GOP_BYTES_MAX
    "Likewise in bytes."

    lag: Lag = field(default_factory=Lag)
    "What becomes of players that lag."

    merge_window_ms: int = AUTO_WINDOW
    "Merge window, ms; 0: a send per video frame; AUTO_WINDOW: as the load asks for."

    jitter: TimeJitter = TimeJitter.FULL
    "Repair of timestamps."

    atc_auto: bool = False
    "Times of a publisher whose metadata has `bravo_atc` are not repaired."

    interleave: bool = False
    "Write sound and pictures in the order of their times (`mix_correct`)."

    reduce_sequence_header: bool = False
    "Leave out sequence headers that repeat the last."

    grace_ms: int = 5000
    "Time a publisher has to come back while its players stay, ms."

    pace_percent: int = 0
    "Players are sent no faster than this part of the stream's rate, percent; 0: no bound."

    nodelay: bool = True
    "TCP_NODELAY on the sockets of players."

    live_clock: bool = False
    "A clock tag before each keyframe."

    timeshift: TimeshiftOptions = field(default_factory=TimeshiftOptions)
    "How much of the past players may be sent."

    kept: tuple[Variant, ...] = ()
    "Made from the first publish on, though nobody reads them: their history is what a player starts with."


class Stream:
    """A stream from its first publish to the end of its last grace.

    Time is passed in (`now_ms`, monotonic): nothing here sleeps or asks a clock.
    """

    __slots__ = (
        "__weakref__", "_absolute", "_delays", "_expected", "_first_ms", "_misfits", "_promised", "_published",
        "_resumable", "_shown", "_told", "began", "clock", "evicted", "height", "id", "left_ms", "log", "name",
        "options", "outlets", "phase", "publisher", "publisher_id", "sent_before", "settle_at", "settled",
        "standby_id", "steps_before", "timeshift", "url", "wake", "width", "writer",
    )  # fmt: skip

    def __init__(
        self,
        name: StreamName,
        options: StreamOptions,
        *,
        id: str,
        now_ms: int,
        delays: Delays | None = None,
        resumable: bool = False,
    ) -> None:
        """*resumable*: edges may come that have the stream from elsewhere until now; see `keep_past`."""
        self.name = name
        self.url = name.url
        "As log lines and the API show it."
        self.options = options
        self.id = id
        self.phase = Phase.LIVE
        self._resumable = resumable
        self.log = self.new_log()
        self.timeshift = Timeshift(self.log, options.timeshift)
        self.writer = StreamWriter(
            self.log,
            jitter=JITTER_MODES[options.jitter],
            reduce_headers=options.reduce_sequence_header,
            interleave=options.interleave,
            make_record=make_record,
        )
        self.writer.on_tracks_changed = self._tell
        self._delays = delays or Delays()
        self.clock = LiveClock(self.writer, self._delays) if options.live_clock else None
        self.writer.clock = self.clock
        self._keep_metadata({})
        self._absolute = False
        "The publisher's metadata has `bravo_atc`: its times are absolute on purpose."
        self._misfits = NO_MISFITS
        self._told = b""
        "The metadata that players were told last."
        self._expected = NONE
        "The tracks that the publisher before had, or the stream of this name before."
        self._shown = NONE
        "The tracks that players know of, by metadata or by the FLV header."
        self._first_ms = -1
        "Monotonic clock of the first media of this publisher, ms; -1: none yet."
        self.settled = False
        "The tracks are known: players may start."
        self.began = now_ms / 1000
        "Monotonic clock of the first publish, seconds."
        self.wake: Callable[[], None] | None = None
        "Tells the publisher's connection that somebody watches; None where it need not be told."
        self.publisher_id = ""
        self.standby_id = ""
        "Of the publisher that is ready to follow; empty without one."
        self.publisher: AccessRequest | None = None
        "Request of the publisher; of the last one when it has left."
        self.left_ms = 0
        self.sent_before = 0
        "Bytes sent to players that have left."
        self.steps_before = NO_STEPS
        "Sum of the lag steps of players that have left."
        self.evicted = 0
        "Players disconnected because they did not keep up."
        self.outlets = Outlets(self.writer)
        "The stream in every container that is asked for."
        self.settle_at = 0
        "Monotonic clock at which the tracks count as known, ms; 0 before the first of them."

    def adopt(self, options: StreamOptions) -> None:
        """Take the settings of a new configuration, while players read. What each player is told is not kept here."""
        self.options = options
        self.timeshift.adopt(options.timeshift)
        self._set_jitter()
        self.writer.reduce_headers = options.reduce_sequence_header
        self.writer.interleave = options.interleave
        if options.live_clock != (self.clock is not None):
            self.clock = LiveClock(self.writer, self._delays) if options.live_clock else None
            self.writer.clock = self.clock
        for outlet in self.outlets:
            log = outlet.log
            self._keep(outlet)
            log.keep_gop = options.gop_cache
            log.key_bytes_max = options.gop_bytes_max
            log.key_tags_max = options.gop_frames_max

    def keep_past(self) -> None:
        """Edges may come that have the stream from elsewhere until now: keep RESUME_PAST_MS for them while it is live."""
        self._resumable = True
        for outlet in self.outlets:
            self._keep(outlet)

    def begin(self, publisher_id: str, now_ms: int, expected: Tracks = NONE, *, kept_ms: int = 0) -> None:
        """A publisher starts, for the first time or within the grace of the one before.

        *expected*: the tracks that a stream of this name had last. *kept_ms*: media of it that came before now.
        """
        away = now_ms - kept_ms - self.left_ms
        gap = 0 if self.phase is Phase.LIVE else min(away, limits.SPLICE_GAP_MS)
        self.phase = Phase.LIVE
        self.publisher_id = publisher_id
        self._keep_metadata({})
        self._absolute = False
        self._set_jitter()
        self.settled = False
        self.settle_at = 0
        self._expected = expected
        self._first_ms = -1
        self._told = b""
        if self.clock is not None:
            self.clock.begin()
        for outlet in self.outlets:
            self._keep(outlet)
        self.writer.begin(max(gap, limits.TIME_FIRST_STEP_MS))

    def leave(self, now_ms: int) -> None:
        """The publisher is gone; players stay for the grace."""
        self.phase = Phase.GRACE
        self.publisher_id = ""
        self.left_ms = now_ms
        self.settled = False
        self.writer.forget_key()
        for outlet in self.outlets:
            outlet.log.keep_ms = self._keep_ms(outlet.variant)
            # No page follows that would free them.
            outlet.log.trim()

    def end(self) -> None:
        """No publisher returned: players get what is there, then the end."""
        self.phase = Phase.ENDED
        # Else the stream and its writer would hold each other until the collector of cycles comes by.
        self.writer.on_tracks_changed = self.writer.clock = None
        self.log.end()
        self.outlets.end()

    def state(self) -> dict[str, Any]:
        """Return as plain values what players and rules were told, for another process that goes on; its writer and logs stand apart."""
        return {
            "began": self.began,
            "live": self.phase is Phase.LIVE,
            "left_ms": self.left_ms,
            "settled": self.settled,
            "settle_at": self.settle_at,
            "first_ms": self._first_ms,
            "metadata": self._published,
            "absolute": self._absolute,
            "told": self._told,
            "expected": list(self._expected),
            "shown": list(self._shown),
            "publisher_id": self.publisher_id,
            "sent_before": self.sent_before,
            "evicted": self.evicted,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on as `state` says, with a writer and logs that were restored. Raises AmfError, HandoverError, KeyError, TypeError and ValueError."""
        self._keep_metadata(read_fields(bytes_of(state["metadata"])) or {})
        self.began = float(state["began"])
        self.phase = Phase.LIVE if state["live"] else Phase.GRACE
        self.left_ms = int(state["left_ms"])
        self.settled = bool(state["settled"])
        self.settle_at = int(state["settle_at"])
        self._first_ms = int(state["first_ms"])
        self._absolute = bool(state["absolute"])
        self._told = bytes_of(state["told"])
        self._expected = Tracks(*map(bool, state["expected"]))
        self._shown = Tracks(*map(bool, state["shown"]))
        self.publisher_id = str(state["publisher_id"])
        self.sent_before = int(state["sent_before"])
        self.evicted = int(state["evicted"])
        if self.clock is not None:
            self.clock.begin()
        self.adopt(self.options)

    def take_data(self, name: str, payload: bytes, timestamp: int) -> None:
        """Take script data of the publisher; onMetaData is edited for a live stream and kept."""
        if name == CLOCK and self.clock is not None and self.clock.take(payload):
            return
        if name != "onMetaData":
            self.writer.add_script(payload, timestamp)
            return
        try:
            fields = read_fields(payload) or {}
        except AmfError:
            self.writer.set_metadata(payload, timestamp)
            return
        # As SRS: the string and nothing else.
        self._absolute = fields.get("bravo_atc") == "true"
        self._set_jitter()
        fields = live_fields(fields)
        self._keep_metadata(fields)
        self._told = self._announcement(fields)
        self.writer.set_metadata(self._told, timestamp)

    @property
    def metadata(self) -> Mapping[str, Value]:
        """What the publisher says, as far as it is of a live stream. Read anew with each call: see `width` and `height`."""
        return read_fields(self._published) or {}

    def _keep_metadata(self, fields: Mapping[str, Value]) -> None:
        # As bytes, which take a third of a dict.
        self._published = amf0.encode("onMetaData", EcmaArray(fields)) if fields else b""
        self._promised = promised(fields)
        "The tracks that it names."
        self.width, self.height = picture_size(fields)
        "Pixels, as it says; 0 where it does not."

    def _set_jitter(self) -> None:
        """Tell the writer how times are repaired."""
        keeps = self.options.atc_auto and self._absolute
        mode = JITTER_MODES[TimeJitter.OFF if keeps else self.options.jitter]
        if self.writer.jitter != mode:
            self.writer.jitter = mode

    @property
    def had_media(self) -> bool:
        """Some publisher has sent more than headers."""
        return self.writer.audio_tags + self.writer.video_tags > 0

    @property
    def tracks(self) -> Tracks:
        """The tracks of this publisher, as far as they were seen."""
        return Tracks(self.writer.has_audio, self.writer.has_video)

    def _announcement(self, published: Mapping[str, Value]) -> bytes:
        writer = self.writer
        audio = Seen(writer.audio_codec) if writer.has_audio else None
        video = Seen(writer.video_codec) if writer.has_video else None
        return amf0.encode("onMetaData", announce(published, audio, video, settled=self.settled))

    def _tell(self) -> None:
        """Tell players of the tracks where they were told something else; those who join are told nothing else."""
        told, shown = self._announcement(self.metadata), self._shown
        self._shown = self.tracks
        # A publisher without metadata needs none: FLV header and sequence headers say what is there.
        if told != self._told and (self._told or shown not in (NONE, self._shown)):
            self._told = told
            self.writer.replace_metadata(told, shown=self.is_read)

    def settle(self, now_ms: int) -> bool:
        """Decide whether the tracks are known; return whether that became so with this call.

        They are when both kinds were seen, when those that the metadata names and that were there last time were
        seen, or when SETTLE_MS have passed since the first of them: SETTLE_NAMED_MS where metadata or a sequence header
        promises one that was there last time, or where nothing is known of last time.
        """
        writer = self.writer
        if (
            self.settled
            or self.phase is not Phase.LIVE
            or not (writer.open and (writer.has_audio or writer.has_video))
        ):
            return False
        if self._first_ms < 0:
            self._first_ms = now_ms
        named, seen = self._promised, self.tracks
        believed = self._expected if self._expected != NONE else BOTH
        wanted = named | self._expected
        missed = Tracks(
            not seen.audio and (named.audio or writer.config(AUDIO) is not None),
            not seen.video and (named.video or writer.config(VIDEO) is not None),
        )
        likely = missed != NONE and believed.holds(missed)
        self.settle_at = self._first_ms + (limits.SETTLE_NAMED_MS if likely else limits.SETTLE_MS)
        self.settled = seen == BOTH or (wanted != NONE and seen.holds(wanted)) or now_ms >= self.settle_at
        if self.settled:
            writer.settled = True
            self._tell()
            writer.flush()
            for variant in self.options.kept:
                if not self.refusal(variant):
                    self.outlets.open(variant, self.new_log)
        return self.settled

    def refusal(self, variant: Variant) -> str:
        """Why the stream cannot be played as *variant*, in one sentence; empty when it can."""
        writer = self.writer
        audio = writer.has_audio and variant.audio
        video = writer.has_video and variant.video
        if not audio and not video and variant.container not in ("aac", "mp3"):
            alone = "audio" if variant.audio else "video"
            return f"`{self.name.url}` has no {alone}, and nothing else was asked for"
        if carriage.carries_all(variant.container):
            return ""
        tracks = [track_of(writer, kind) for kind, there in ((VIDEO, video), (AUDIO, audio)) if there]
        return carriage.refusal(self.name.url, variant.container, tracks)

    def misfits(self) -> list[str]:
        """Say why containers that are played cannot carry the tracks of now; each reason once, until it is gone."""
        found = frozenset(
            why for outlet in self.outlets if outlet.log.readers and (why := self.refusal(outlet.variant))
        )
        fresh, self._misfits = sorted(found - self._misfits), found or NO_MISFITS
        return fresh

    def hasten(self) -> bool:
        """Have what gathers in the publisher's socket read at once, until its next look; False where nothing gathers."""
        if self.wake is None:
            return False
        self.wake()
        return True

    def open(self, variant: Variant = PLAIN, *, resumes: bool = False, begin: Place | None = None) -> Outlet:
        """Return the log of *variant* for a reader; from now on the publisher is read without delay.

        *begin*: as `Outlets.open` has it.
        *resumes*: the reader is sent what came before the newest keyframe, at the times that it had.
        """
        if not self.outlets.is_watched:
            self.hasten()
        if not resumes and not self.outlets.tell_time:
            self.writer.rebase()
        return self.outlets.open(variant, self.new_log, begin)

    def start(
        self,
        outlet: Outlet,
        claims: Tracks | None = None,
        begin: StartMode | None = None,
        *,
        true_pace: bool = False,
        resumes: bool = False,
    ) -> Start:
        """Where a player of *outlet* that joins now starts; its FLV header may claim other tracks than there are.

        *begin* is what the player asks for. With *true_pace* and without *begin*, `gop` stands for `compact`. One that
        *resumes* has the stream from elsewhere until now.
        """
        if resumes and begin is None and self.options.gop_cache:
            return outlet.starts.resume(claims)
        if begin is None:
            begin = self.options.begin
            if true_pace and begin is StartMode.COMPACT:
                begin = StartMode.GOP
        if not self.options.gop_cache and begin is not StartMode.LIVE:
            begin = StartMode.KEY
        return outlet.starts.begin(begin, self.options.burst, claims)

    @property
    def is_read(self) -> bool:
        """Somebody reads the stream in some container."""
        return self.log.readers > 0 or self.log.followed > 0

    def _keep(self, outlet: Outlet) -> None:
        """Have the log of *outlet* keep what is kept now."""
        log = outlet.log
        log.keep_ms = self._keep_ms(outlet.variant)
        log.history_ms = max(self.options.lag.jump_ms, log.keep_ms)

    def _keep_ms(self, variant: Variant) -> int:
        """Return how much of a log is kept whoever reads, ms."""
        resumed = (
            self._resumable
            and self.phase is Phase.LIVE
            and self.options.gop_cache
            and variant.container in RESUMED
            and not variant.is_choice
        )
        return max(variant.keep_ms, limits.RESUME_PAST_MS if resumed else 0)

    def new_log(self, variant: Variant = PLAIN) -> MediaLog:
        """Return a log for *variant* with the bounds of the stream."""
        options, keep_ms = self.options, self._keep_ms(variant)
        return MediaLog(
            history_ms=max(options.lag.jump_ms, keep_ms),
            history_bytes=limits.HISTORY_BYTES,
            keep_ms=keep_ms,
            keep_gop=options.gop_cache,
            key_bytes_max=options.gop_bytes_max,
            key_tags_max=options.gop_frames_max,
        )
