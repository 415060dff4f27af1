/* An FLV clip in memory, to be replayed in a loop with a continuous timeline. */
#ifndef FANOUT_CLIP_H
#define FANOUT_CLIP_H

#include <stdint.h>

enum { TAG_AUDIO = 8, TAG_VIDEO = 9, TAG_SCRIPT = 18 };

struct tag {
    uint8_t kind;        /* TAG_AUDIO, TAG_VIDEO or TAG_SCRIPT */
    uint8_t key;         /* 1: a video keyframe */
    uint32_t at_ms;      /* decode time from the start of the loop, milliseconds */
    uint32_t size;       /* of the body, bytes */
    const uint8_t *body; /* points into the file's bytes */
};

struct clip {
    struct tag script, video_header, audio_header; /* size 0 when absent */
    struct tag *tags;                              /* media tags in file order */
    uint32_t count;
    uint32_t period_ms; /* length of one loop: video frames times frame interval */
    uint32_t max_size;  /* largest body, bytes */
};

/* Load or exit with one line on stderr. */
struct clip clip_load(const char *path);

/* Write one FLV tag with its back pointer; a video frame gets a stamp. Returns the bytes written
   (11 + size + 4, plus the stamp). */
uint32_t clip_write_tag(uint8_t *out, const struct tag *tag, uint32_t time_ms, int64_t stamp_ns, uint32_t number);

/* Copy the body, with the stamp in a video frame (stamp_ns > 0). Returns its size. */
uint32_t clip_write_body(uint8_t *out, const struct tag *tag, int64_t stamp_ns, uint32_t number);

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
