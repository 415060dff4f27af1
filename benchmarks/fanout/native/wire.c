#define _GNU_SOURCE
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#include "clip.h"
#include "stamp.h"

enum { IN_HEAD, IN_RAW, IN_CHUNK_SIZE, IN_CHUNK, IN_CHUNK_END, AT_END };
enum { FLV_HEADER, TAG_HEADER, TAG_BODY, TAG_BACK };

#define TAG_LIMIT 4000000 /* bytes: far above any frame of the clip */

void wire_init(struct wire *w, void (*on_frame)(void *, int64_t, uint32_t, int), void *owner)
{
    memset(w, 0, sizeof *w);
    w->on_frame = on_frame;
    w->owner = owner;
    w->want = 13;
}

static int fail(struct wire *w, const char *rule)
{
    if (!w->error)
        w->error = rule;
    return 0;
}

static uint32_t be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static int tag_begins(struct wire *w)
{
    const uint8_t *p = w->part;
    uint32_t time_ms = be24(p + 4) | (uint32_t)p[7] << 24;
    w->kind = p[0];
    w->body_size = be24(p + 1);
    w->body_at = 0;
    if (w->kind != TAG_AUDIO && w->kind != TAG_VIDEO && w->kind != TAG_SCRIPT)
        return fail(w, "tag type is not 8, 9 or 18");
    if (w->body_size == 0 || w->body_size > TAG_LIMIT)
        return fail(w, "tag size out of bounds");
    if (be24(p + 8) != 0)
        return fail(w, "stream id is not 0");
    if (w->kind != TAG_SCRIPT) {
        uint32_t *last = &w->last_ms[w->kind == TAG_VIDEO];
        if (time_ms < *last)
            return fail(w, "timestamp of a track ran backwards");
        *last = time_ms;
    }
    return 1;
}

static int tag_ends(struct wire *w)
{
    const uint8_t *body = w->part, *back = w->part + sizeof w->part - 4;
    uint32_t size = w->body_size;
    if (((uint32_t)back[0] << 24 | be24(back + 1)) != size + 11)
        return fail(w, "back pointer is not the tag's size");
    w->tags++;
    if (w->kind != TAG_VIDEO || size < 5 || body[1] != 1)
        return 1;
    int key = body[0] >> 4 == 1;
    if (!key && !w->key_seen)
        return fail(w, "the first frame is not a keyframe");
    w->key_seen = 1;
    int64_t ns = 0;
    uint32_t number = 0;
    stamp_read(body, size < 100 ? size : 100, &ns, &number);
    w->on_frame(w->owner, ns, number, key);
    return 1;
}

/* part[] holds the piece at hand: 13 bytes of file header, 11 of tag header, or the body's first 100 bytes with the
   back pointer in its last four. */
static int feed_flv(struct wire *w, const uint8_t *p, size_t n)
{
    while (n) {
        if (w->flv_state == TAG_BODY) {
            uint32_t take = w->body_size - w->body_at;
            if (take > n)
                take = (uint32_t)n;
            if (w->body_at < 100) {
                uint32_t keep = 100 - w->body_at < take ? 100 - w->body_at : take;
                memcpy(w->part + w->body_at, p, keep);
            }
            w->body_at += take;
            p += take;
            n -= take;
            if (w->body_at == w->body_size) {
                w->flv_state = TAG_BACK;
                w->have = 0;
                w->want = 4;
            }
            continue;
        }
        uint8_t *to = w->flv_state == TAG_BACK ? w->part + sizeof w->part - 4 : w->part;
        uint32_t take = w->want - w->have;
        if (take > n)
            take = (uint32_t)n;
        memcpy(to + w->have, p, take);
        w->have += take;
        p += take;
        n -= take;
        if (w->have < w->want)
            return 1;
        w->have = 0;
        w->want = 11;
        if (w->flv_state == FLV_HEADER) {
            if (memcmp(w->part, "FLV\1", 4) != 0 || memcmp(w->part + 5, "\0\0\0\11\0\0\0\0", 8) != 0)
                return fail(w, "FLV file header is wrong");
            w->flv_state = TAG_HEADER;
        } else if (w->flv_state == TAG_HEADER) {
            if (!tag_begins(w))
                return 0;
            w->flv_state = TAG_BODY;
        } else {
            if (!tag_ends(w))
                return 0;
            w->flv_state = TAG_HEADER;
        }
    }
    return 1;
}

static int head_ends(struct wire *w)
{
    w->head[w->head_size] = 0;
    if (strncmp(w->head, "HTTP/1.", 7) != 0)
        return fail(w, "not an HTTP/1.x answer");
    w->status = atoi(w->head + 9);
    if (w->status != 200)
        return fail(w, "HTTP status is not 200");
    const char *coding = strcasestr(w->head, "\r\nTransfer-Encoding:");
    w->chunked = coding && strcasestr(coding, "chunked") != NULL;
    w->state = w->chunked ? IN_CHUNK_SIZE : IN_RAW;
    w->head_size = 0;
    return 1;
}

static int feed_byte(struct wire *w, uint8_t c)
{
    if (w->head_size + 1 >= sizeof w->head)
        return fail(w, "HTTP header or chunk size line is too long");
    w->head[w->head_size++] = (char)c;
    if (w->state == IN_HEAD)
        return w->head_size < 4 || memcmp(w->head + w->head_size - 4, "\r\n\r\n", 4) != 0 || head_ends(w);
    if (w->state == IN_CHUNK_SIZE) {
        if (c != '\n')
            return 1;
        char *rest;
        w->head[w->head_size] = 0;
        w->chunk_left = strtoull(w->head, &rest, 16);
        if (rest == w->head || (*rest != '\r' && *rest != ';'))
            return fail(w, "chunk size is not hexadecimal");
        w->head_size = 0;
        w->state = w->chunk_left ? IN_CHUNK : AT_END;
        return 1;
    }
    if (w->state == IN_CHUNK_END) {
        if (c != (w->head_size == 1 ? '\r' : '\n'))
            return fail(w, "chunk does not end in CR LF");
        if (w->head_size == 2) {
            w->head_size = 0;
            w->state = IN_CHUNK_SIZE;
        }
    }
    if (w->state == AT_END)
        w->head_size = 0;
    return 1;
}

int wire_feed(struct wire *w, const uint8_t *p, size_t n)
{
    while (n && !w->error) {
        if (w->state == IN_RAW)
            return feed_flv(w, p, n);
        if (w->state == IN_CHUNK) {
            size_t take = w->chunk_left < n ? (size_t)w->chunk_left : n;
            if (!feed_flv(w, p, take))
                return 0;
            p += take;
            n -= take;
            w->chunk_left -= take;
            if (w->chunk_left == 0)
                w->state = IN_CHUNK_END;
            continue;
        }
        feed_byte(w, *p);
        p++;
        n--;
    }
    return w->error == NULL;
}
