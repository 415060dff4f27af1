#include "flv.h"

#include <string.h>

#include "clip.h"
#include "octets.h"
#include "stamp.h"

enum { FILE_HEADER, TAG_HEADER, TAG_BODY, TAG_BACK };

#define KEPT 100 /* bytes of a body that are kept: the stamp and what is before it */

void flv_init(struct flv *v, struct flow *flow)
{
    memset(v, 0, sizeof *v);
    v->flow = flow;
    v->want = 13;
}

static int tag_begins(struct flv *v)
{
    const uint8_t *p = v->part;
    uint32_t time_ms = be24(p + 4) | (uint32_t)p[7] << 24;
    v->kind = p[0];
    v->body_size = be24(p + 1);
    v->body_at = 0;
    if (v->kind != TAG_AUDIO && v->kind != TAG_VIDEO && v->kind != TAG_SCRIPT)
        return flow_fail(v->flow, "tag type is not 8, 9 or 18");
    if (v->body_size == 0 || v->body_size > FRAME_LIMIT)
        return flow_fail(v->flow, "tag size out of bounds");
    if (be24(p + 8) != 0)
        return flow_fail(v->flow, "stream id is not 0");
    if (v->kind != TAG_SCRIPT) {
        uint32_t *last = &v->last_ms[v->kind == TAG_VIDEO];
        if (time_ms < *last)
            return flow_fail(v->flow, "timestamp of a track ran backwards");
        *last = time_ms;
    }
    return 1;
}

static int tag_ends(struct flv *v)
{
    if (be32(v->part + sizeof v->part - 4) != v->body_size + 11)
        return flow_fail(v->flow, "back pointer is not the tag's size");
    v->tags++;
    return v->kind != TAG_VIDEO || video_body(v->flow, v->part, v->body_size, KEPT, v->last_ms[1]);
}

/* part[] holds the piece at hand: 13 bytes of file header, 11 of tag header, or the body's first KEPT bytes with the
   back pointer in its last four. */
int flv_feed(void *at, const uint8_t *p, size_t n)
{
    struct flv *v = at;
    while (n) {
        if (v->state == TAG_BODY) {
            uint32_t take = v->body_size - v->body_at;
            if (take > n)
                take = (uint32_t)n;
            if (v->body_at < KEPT) {
                uint32_t keep = KEPT - v->body_at < take ? KEPT - v->body_at : take;
                memcpy(v->part + v->body_at, p, keep);
            }
            v->body_at += take;
            p += take;
            n -= take;
            if (v->body_at == v->body_size) {
                v->state = TAG_BACK;
                v->have = 0;
                v->want = 4;
            }
            continue;
        }
        uint8_t *to = v->state == TAG_BACK ? v->part + sizeof v->part - 4 : v->part;
        uint32_t take = v->want - v->have;
        if (take > n)
            take = (uint32_t)n;
        memcpy(to + v->have, p, take);
        v->have += take;
        p += take;
        n -= take;
        if (v->have < v->want)
            return 1;
        v->have = 0;
        v->want = 11;
        if (v->state == FILE_HEADER) {
            if (memcmp(v->part, "FLV\1", 4) != 0 || memcmp(v->part + 5, "\0\0\0\11\0\0\0\0", 8) != 0)
                return flow_fail(v->flow, "FLV file header is wrong");
            v->state = TAG_HEADER;
        } else if (v->state == TAG_HEADER) {
            if (!tag_begins(v))
                return 0;
            v->state = TAG_BODY;
        } else {
            if (!tag_ends(v))
                return 0;
            v->state = TAG_HEADER;
        }
    }
    return 1;
}
