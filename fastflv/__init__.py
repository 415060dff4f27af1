"""fastflv: a live server that takes RTMP and fans it out as HTTP-FLV."""

__version__ = "0.1.0"
