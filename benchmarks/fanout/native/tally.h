/* A growing list of measurements, and its percentiles. */
#ifndef FANOUT_TALLY_H
#define FANOUT_TALLY_H

#include <stddef.h>
#include <stdio.h>

struct tally {
    double *values;
    size_t count, room;
};

void tally_add(struct tally *t, double value);
void tally_clear(struct tally *t);

/* Sorts; share 0 is the smallest, 1 the largest; 0 when empty. */
double tally_at(struct tally *t, double share);

/* "name":{"n":..,"min":..,"p50":..,"p99":..,"max":..} */
void tally_print(FILE *to, const char *name, struct tally *t);

#endif
