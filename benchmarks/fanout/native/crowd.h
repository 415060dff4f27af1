/* The parts of the load client. Each runs in its own thread; the main thread reads commands. */
#ifndef FANOUT_CROWD_H
#define FANOUT_CROWD_H

#include <stdint.h>
#include <stdio.h>

#include "peer.h"

/* crowd.c: players whose bytes are counted, not copied. With nap_ms > 0 they look for bytes that often instead of
   waiting in epoll: over loopback the server's send pays for waking a waiter, over a network it does not. */
void crowd_start(const struct targets *all, int players, double per_second, int nap_ms);
int crowd_flowing(void); /* players that have had media */
void crowd_begin(void);
void crowd_end(FILE *to, double seconds); /* prints "crowd":{...} */

/* probe.c: players whose every byte is parsed and whose frames are timed */
void probe_start(const struct targets *all, int players, double per_second);
int probe_flowing(void);
void probe_begin(void);
void probe_end(FILE *to); /* prints "probe":{...} */

/* storm.c: players that come, wait for a keyframe, stay a while, and go; prints its event when over. They take the
   targets in turn. */
void storm_start(const struct targets *all, double per_second, double seconds, int hold_ms);

/* joins.c: joins at random moments within `seconds`, each for hold_ms from its first keyframe on. Writes into the
   directory what each received (0.flv or 0.ts, 1.flv, ...) and when each frame of it came (joins.jsonl); prints its event
   when over. */
void joins_start(const struct target *t, int count, double seconds, int hold_ms, int seed, const char *directory);

/* lazy.c: players that read at a fixed rate, 0 for never. Of the first `kept` the media goes into the directory
   (slow-0.flv or slow-0.ts, ...), and their frames: number, stamp, keyframe, decode and presentation time, when it was read
   (slow-0.frames, ...). */
void lazy_start(const struct target *t, int players, double bytes_per_second, int kept, const char *directory);
void lazy_report(void); /* prints its event: players that stand, that the server closed, kept ones that saw a broken rule */

/* load.c: events are whole lines of JSON on stdout */
void event(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
