#include "clip.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "octets.h"
#include "stamp.h"

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static uint8_t *read_file(const char *path, long *size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        die("clip %s: cannot open", path);
    fseek(f, 0, SEEK_END);
    *size = ftell(f);
    rewind(f);
    uint8_t *bytes = malloc((size_t)*size + 1);
    if (!bytes || fread(bytes, 1, (size_t)*size, f) != (size_t)*size)
        die("clip %s: cannot read", path);
    fclose(f);
    return bytes;
}

struct clip clip_load(const char *path)
{
    struct clip c = {0};
    long size;
    const uint8_t *p = read_file(path, &size);
    if (size < 13 || memcmp(p, "FLV", 3) != 0)
        die("clip %s: not an FLV file", path);
    c.tags = malloc(sizeof(struct tag) * (size_t)(size / 15 + 1));
    uint32_t first = 0, last = 0, frames = 0, kept = 0;
    for (long at = 13; at + 11 <= size;) {
        struct tag t = {.kind = p[at] & 31, .size = be24(p + at + 1), .body = p + at + 11};
        t.at_ms = be24(p + at + 4) | (uint32_t)p[at + 7] << 24;
        at += 15 + (long)t.size;
        if (at > size || t.size < 2)
            continue;
        if (t.size > c.max_size)
            c.max_size = t.size;
        if (t.kind == TAG_SCRIPT) {
            c.script = t;
        } else if (t.kind == TAG_VIDEO && t.body[1] == 0) {
            c.video_header = t;
        } else if (t.kind == TAG_AUDIO && t.body[1] == 0) {
            c.audio_header = t;
        } else if (t.kind == TAG_AUDIO || (t.kind == TAG_VIDEO && t.body[1] == 1)) {
            if (t.kind == TAG_VIDEO) {
                t.key = t.body[0] >> 4 == 1;
                if (frames++ == 0)
                    first = t.at_ms;
                last = t.at_ms;
            }
            c.tags[c.count++] = t;
        }
    }
    if (frames < 2)
        die("clip %s: fewer than two video frames", path);
    c.period_ms = (last - first) / (frames - 1) * frames;
    for (uint32_t i = 0; i < c.count; i++) {
        struct tag t = c.tags[i];
        t.at_ms = t.at_ms > first ? t.at_ms - first : 0;
        if (t.at_ms < c.period_ms) /* audio past the last frame would overlap the next round */
            c.tags[kept++] = t;
    }
    c.count = kept;
    return c;
}

uint32_t clip_write_body(uint8_t *out, const struct tag *tag, int64_t stamp_ns, uint32_t number)
{
    if (tag->kind != TAG_VIDEO || stamp_ns == 0) {
        memcpy(out, tag->body, tag->size);
        return tag->size;
    }
    memcpy(out, tag->body, STAMP_AT);
    stamp_write(out + STAMP_AT, stamp_ns, number);
    memcpy(out + STAMP_AT + STAMP_SIZE, tag->body + STAMP_AT, tag->size - STAMP_AT);
    return tag->size + STAMP_SIZE;
}

uint32_t clip_write_tag(uint8_t *out, const struct tag *tag, uint32_t time_ms, int64_t stamp_ns, uint32_t number)
{
    uint32_t size = clip_write_body(out + 11, tag, stamp_ns, number);
    out[0] = tag->kind;
    put24(out + 1, size);
    put24(out + 4, time_ms & 0xffffff);
    out[7] = (uint8_t)(time_ms >> 24);
    put24(out + 8, 0);
    uint32_t back = size + 11;
    put32(out + back, back);
    return back + 4;
}
