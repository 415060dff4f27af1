"""Reading finished MP4 files: boxes, sample tables, parts."""
