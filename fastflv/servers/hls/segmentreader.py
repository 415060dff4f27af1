"""Reads one stream into segments: chooses the container by its codecs, and follows the log of that container."""

from __future__ import annotations

from collections.abc import Callable

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.ts.mux import TsMux
from fastflv.containers.carriage import Track, carries, needs_mp4
from fastflv.containers.packer import Mp4Packer, TsPacker
from fastflv.containers.playlist import Rendition, expected_ms
from fastflv.containers.segmenter import Segment, Segmenter
from fastflv.containers.variant import Variant
from fastflv.errors import CodecConfigError
from fastflv.media.codecs import AUDIO, VIDEO
from fastflv.media.codecstring import codec_string
from fastflv.media.decoderconfig import video_config
from fastflv.servers.hls.options import HlsOptions
from fastflv.stream.stream import Stream
from fastflv.stream.tracks import track_of
from fastflv.stream.unhurried import Unhurried, observe

FLV_HEADER_BYTES = 13


def carried(writer: StreamWriter, options: HlsOptions) -> dict[int, Track]:
    """Return the tracks of a stream that HLS carries, by kind (8, 9)."""
    found = {}
    for kind, there in (
        (VIDEO, options.video and writer.has_video),
        (AUDIO, options.audio and writer.has_audio),
    ):
        track = track_of(writer, kind) if there else None
        if track is not None and (carries("hls-fmp4", track) or carries("hls-ts", track)):
            found[kind] = track
    return found


def rendition(stream: Stream | None, options: HlsOptions, rates: tuple[int, int], fps: float) -> Rendition:
    """Return the attributes for a master playlist.

    *stream*: None after its end; *rates*: highest and mean bit/s; *fps*: pictures a second, counted, 0.0 when unknown.
    """
    if stream is None:
        return Rendition(*rates)
    writer = stream.writer
    strings, width, height = [], 0, 0
    for kind, track in carried(writer, options).items():
        strings.append(codec_string(track.name, track.record))
        if kind == VIDEO:
            try:
                config = video_config(track.name, track.record)
            except CodecConfigError:
                continue
            width, height = config.width, config.height
            fps = fps or claimed_rate(config.fps, writer)
            if not (width and height):
                width, height = stream.width, stream.height
    if not rates[0]:
        # Before the first segment: the mean of the publish so far.
        rates = (writer.bytes * 8000 // max(writer.dts_ms, 1000), 0)
    return Rendition(*rates, tuple(strings) if all(strings) else (), width, height, fps)


def claimed_rate(fps: float, writer: StreamWriter) -> float:
    """Return *fps*, which an encoder claims, if the stream has had about as many pictures a second; 0.0 otherwise."""
    pictures = writer.video_tags
    # Between the first and the newest picture lies one interval less.
    slack = 1 + limits.HLS_RATE_SLACK * pictures
    return fps if pictures > 1 and abs(fps * writer.dts_ms / 1000 - pictures) <= slack else 0.0


class SegmentReader:
    """Reads a stream whose tracks are known. Pull it now and then; close it at the end.

    It begins with the newest GOP, or with what *held* holds. *behind*: as `Unhurried` has it.
    """

    def __init__(
        self,
        stream: Stream,
        options: HlsOptions,
        *,
        clock_ms: int,
        behind: Callable[[], None],
        held: Unhurried | None = None,
    ) -> None:
        self._stream = stream
        self._options = options
        tracks = carried(stream.writer, options)
        self.mp4 = self._wants_mp4(tracks)
        self._mp4_option = options.mp4
        variant = Variant("flv" if self.mp4 else "ts", audio=AUDIO in tracks, video=VIDEO in tracks)
        self._tracks = tracks
        self._jumps = 0
        self._configs = self._read_configs()
        self._changing = False
        "New options want another reader, which begins at the next keyframe."
        self.is_cut = False
        "The change of options reached its keyframe: the open segment belongs to the next reader."
        begin = held.place(video=variant.video) if held is not None else None
        outlet = stream.open(variant, begin=begin)
        try:
            if begin is not None:
                # Sound alone is gathered in TS: its first frame may not be written yet.
                position, headers = max(outlet.find(begin), outlet.log.tail), outlet.headers(begin)
            else:
                start = outlet.starts.at_gop() if stream.options.gop_cache else outlet.starts.at_next_key()
                position, headers = start.position, bytes(start.block)[FLV_HEADER_BYTES:]
            packer: Mp4Packer | TsPacker
            if isinstance(outlet.remux, TsMux):
                packer = TsPacker(outlet.remux.tables)
            else:
                packer = Mp4Packer((stream.width, stream.height))
                packer.take_headers(headers or stream.writer.header_tags(0))
            # `SegmentList` ignores the discontinuity where no segment comes before.
            self.segmenter = Segmenter(
                packer,
                options.least_ms,
                options.most_ms,
                wait_key=options.wait_key,
                floor_ms=options.floor_ms,
                clock_ms=clock_ms,
                continues=True,
            )
            # A log without video begins at its head: the start of older frames is unknown.
            self._cursor = Cursor(outlet.log, position=position)
        except BaseException:
            stream.outlets.close_unread()
            raise
        self._observer = observe(stream, behind)

    @property
    def outdated(self) -> bool:
        """Whether codecs or options changed so that another reader has to continue."""
        if self._changing:
            return self.is_cut
        return self._differs()

    @property
    def failed(self) -> bool:
        """Whether the log has ended before its stream, because the remux failed."""
        return self._cursor.done and not self._stream.log.ended

    @property
    def longest_ms(self) -> int:
        """Longest expected segment, ms."""
        writer, options = self._stream.writer, self._options
        if VIDEO not in self._tracks:
            return max(options.least_ms, self.segmenter.open_ms)
        gops = (writer.gop_least_ms, writer.gop_ms)
        # A segment has one picture at least, however long that lasts.
        return max(
            expected_ms(options.least_ms, options.most_ms, gops),
            self.segmenter.step_ms,
            self.segmenter.open_ms,
        )

    def adopt(self, options: HlsOptions) -> None:
        """Take new options; `outdated` follows when they need another reader."""
        self._options = options
        segmenter = self.segmenter
        segmenter.wait_key, segmenter.floor_ms = options.wait_key, options.floor_ms
        self._changing = self._differs()
        self.is_cut = False
        if self._changing:
            if segmenter.is_open:
                segmenter.change()
            else:
                self.is_cut = True

    def pull(self, wall_ms: int) -> list[Segment]:
        """Read new entries; return the segments that they finish. *wall_ms*: wall clock, ms since 1970."""
        done: list[Segment] = []
        entries = self._cursor.take_tags()
        self._observer.read_ms = self._stream.log.head_dts
        if self._cursor.jumps != self._jumps:
            self._jumps = self._cursor.jumps
            done += self.segmenter.flush()
            self.segmenter.change()
        if not self.mp4:
            # MP4 finds the headers in the log; in TS they are part of the frames.
            configs = self._read_configs()
            if configs != self._configs:
                self._configs = configs
                self.segmenter.change()
        ahead_ms = wall_ms - self._stream.log.head_dts if entries else None
        done += self.segmenter.take(entries, video=VIDEO in self._tracks, ahead_ms=ahead_ms)
        self.is_cut = self.is_cut or (self._changing and bool(done))
        return done

    def finish(self, wall_ms: int) -> list[Segment]:
        """Read to the end of the log, end the open segment, and close."""
        done = self.pull(wall_ms) + self.segmenter.flush()
        self.close()
        return done

    def close(self) -> None:
        self._cursor.close()
        self._stream.log.detach(self._observer)
        self._stream.outlets.close_unread()

    def _differs(self) -> bool:
        """Whether the stream and the options want other tracks or another container than this reader has."""
        tracks = carried(self._stream.writer, self._options)
        if tracks.keys() != self._tracks.keys():
            return True
        if tracks == self._tracks and self._options.mp4 == self._mp4_option:
            return False
        return self._wants_mp4(tracks) != self.mp4

    def _read_configs(self) -> tuple[bytes | None, bytes | None]:
        writer = self._stream.writer
        return writer.config(VIDEO), writer.config(AUDIO)

    def _wants_mp4(self, tracks: dict[int, Track]) -> bool:
        """Whether segments are fragmented MP4: by choice, or because a track does not fit into TS."""
        return self._options.mp4 or needs_mp4(tracks.values())
