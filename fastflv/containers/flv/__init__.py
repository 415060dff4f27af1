"""FLV: header, metadata, tags and the log of a variant."""
