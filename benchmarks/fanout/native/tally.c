#include "tally.h"

#include <stdlib.h>

#include "clip.h"

void tally_add(struct tally *t, double value)
{
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : 1024;
        t->values = realloc(t->values, t->room * sizeof *t->values);
        if (!t->values)
            die("load: out of memory");
    }
    t->values[t->count++] = value;
}

void tally_clear(struct tally *t)
{
    t->count = 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double tally_at(struct tally *t, double share)
{
    if (t->count == 0)
        return 0;
    qsort(t->values, t->count, sizeof *t->values, ascending);
    return t->values[(size_t)(share * (double)(t->count - 1) + 0.5)];
}

void tally_print(FILE *to, const char *name, struct tally *t)
{
    fprintf(to, "\"%s\":{\"n\":%zu,\"min\":%.3f,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name, t->count,
            tally_at(t, 0), tally_at(t, 0.5), tally_at(t, 0.99), tally_at(t, 1));
}
