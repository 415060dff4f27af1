"""One stream on its way into segments: which container fits its codecs, and where in the log it is read."""

from __future__ import annotations

from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.syntax.flvtag import payload
from fastflv._ext.ts.mux import TsMux
from fastflv.containers.carriage import CARRIED, carries
from fastflv.containers.mpegts import describe
from fastflv.containers.packer import Mp4Packer, TsPacker
from fastflv.containers.playlist import Rendition, expected_ms
from fastflv.containers.segmenter import Segment, Segmenter
from fastflv.containers.variant import Variant
from fastflv.errors import CodecConfigError
from fastflv.media.codecs import AUDIO, VIDEO, codec_name
from fastflv.media.codecstring import codec_string
from fastflv.media.decoderconfig import video_config
from fastflv.servers.hls.options import HlsOptions
from fastflv.stream.stream import Stream

IN_TS = CARRIED["hls-ts"] - {"HEVC"}
"Codecs whose segments are TS. HEVC could be, but players want it in MP4 (HLS authoring specification, 1.5)."

FLV_HEADER_BYTES = 13


def carried(writer: StreamWriter, options: HlsOptions) -> dict[int, str]:
    """Names of the codecs of a stream that HLS carries, by kind (8, 9)."""
    found = {}
    for kind, wanted, there, codec in (
        (VIDEO, options.video, writer.has_video, writer.video_codec),
        (AUDIO, options.audio, writer.has_audio, writer.audio_codec),
    ):
        name = codec_name(kind, codec) if wanted and there else ""
        if name and carries("hls-fmp4", name):
            found[kind] = name
    return found


def rendition(stream: Stream | None, options: HlsOptions, rates: tuple[int, int]) -> Rendition:
    """What a master playlist says of a stream, None: one that has ended; *rates*: highest and mean bits per second."""
    if stream is None:
        return Rendition(*rates)
    writer = stream.writer
    strings, width, height, fps = [], 0, 0, 0.0
    for kind, name in carried(writer, options).items():
        record = record_of(writer, kind)
        strings.append(codec_string(name, record))
        if kind == VIDEO:
            try:
                config = video_config(name, record)
            except CodecConfigError:
                continue
            width, height, fps = config.width, config.height, config.fps
            if not (width and height):
                width, height = size_of(stream)
    if not rates[0]:
        # Before the first segment: what was published up to now.
        rates = (writer.bytes * 8000 // max(writer.dts_ms, 1000), 0)
    return Rendition(*rates, tuple(strings) if all(strings) else (), width, height, fps)


def record_of(writer: StreamWriter, kind: int) -> bytes:
    """The configuration record of a track; empty where there is none."""
    header = writer.config(kind)
    found = payload(kind, header) if header else None
    return found[4] if found else b""


def size_of(stream: Stream) -> tuple[int, int]:
    """Pixels by the publisher's metadata, 0 where it tells none."""
    values = (stream.metadata.get(name) for name in ("width", "height"))
    width, height = (int(v) if isinstance(v, float) and 0 < v < 65536 else 0 for v in values)
    return width, height


class SegmentReader:
    """Reads a stream whose tracks are known, from its newest GOP on. Pull it now and then; close it."""

    def __init__(self, stream: Stream, options: HlsOptions, *, continues: bool, clock_ms: int) -> None:
        self._stream = stream
        self._options = options
        codecs = carried(stream.writer, options)
        self.mp4 = self._wants_mp4(codecs)
        variant = Variant("flv" if self.mp4 else "ts", audio=AUDIO in codecs, video=VIDEO in codecs)
        self._codecs = codecs
        outlet = stream.open(variant)
        start = outlet.starts.at_gop() if stream.options.gop_cache else outlet.starts.at_next_key()
        # A log without video begins at its head: nothing is known of what lies before.
        self._cursor = Cursor(outlet.log, position=start.position)
        self._jumps = 0
        self._configs = self._read_configs()
        packer: Mp4Packer | TsPacker
        if isinstance(outlet.remux, TsMux):
            packer = TsPacker(outlet.remux.tables)
        else:
            packer = Mp4Packer(size_of(stream))
            headers = bytes(start.block)[FLV_HEADER_BYTES:]
            packer.take_headers(headers or stream.writer.header_tags(0))
        self.segmenter = Segmenter(
            packer,
            options.least_ms,
            options.most_ms,
            wait_key=options.wait_key,
            floor_ms=options.floor_ms,
            clock_ms=clock_ms,
            continues=continues,
        )

    @property
    def outdated(self) -> bool:
        """The codecs became others, and want another reader."""
        codecs = carried(self._stream.writer, self._options)
        return codecs != self._codecs and (
            codecs.keys() != self._codecs.keys() or self._wants_mp4(codecs) != self.mp4
        )

    @property
    def failed(self) -> bool:
        """The log that is read has ended before its stream: what makes it failed."""
        return self._cursor.done and not self._stream.log.ended

    @property
    def longest_ms(self) -> int:
        """How long segments are expected to become."""
        writer = self._stream.writer
        if VIDEO not in self._codecs:
            return self._options.least_ms
        return expected_ms(
            self._options.least_ms, self._options.most_ms, (writer.gop_least_ms, writer.gop_ms)
        )

    def pull(self) -> list[Segment]:
        """Take what is new; return the segments that it finishes."""
        done: list[Segment] = []
        entries = self._cursor.take_tags()
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
        return done + self.segmenter.take(entries, video=VIDEO in self._codecs)

    def finish(self) -> list[Segment]:
        """Take the rest, and end what is open."""
        done = self.pull() + self.segmenter.flush()
        self.close()
        return done

    def close(self) -> None:
        self._cursor.close()
        self._stream.outlets.close_unread()

    def _read_configs(self) -> tuple[bytes | None, bytes | None]:
        writer = self._stream.writer
        return writer.config(VIDEO), writer.config(AUDIO)

    def _wants_mp4(self, codecs: dict[int, str]) -> bool:
        """Whether the segments are fragmented MP4: by choice, or because TS cannot say what the stream is."""
        if self._options.mp4 or not IN_TS.issuperset(codecs.values()):
            return True
        writer = self._stream.writer
        numbers = {VIDEO: writer.video_codec, AUDIO: writer.audio_codec}
        return any(
            describe(kind, numbers[kind], record) is None
            for kind in codecs
            if (record := record_of(writer, kind))
        )
