/* Time for the fan-out programs: CLOCK_MONOTONIC, nanoseconds, the same in every process of the machine. */
#ifndef FANOUT_CLOCK_H
#define FANOUT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* CPU time that this process has used, all threads, nanoseconds. */
static inline int64_t own_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline struct timespec as_timespec(int64_t ns)
{
    struct timespec t = {0, 0};
    if (ns > 0) {
        t.tv_sec = ns / 1000000000;
        t.tv_nsec = ns % 1000000000;
    }
    return t;
}

#endif
