/* The likeliest path of a hidden semi-Markov chain (stays.h): Viterbi over states and how long they
 * have lasted, in logarithms. A stay that lasts knows where it was a step before, so that only where
 * one begins, and how long the one before it had lasted, are kept for each step and state. */
#ifndef MIXTURA_LONGEST_H
#define MIXTURA_LONGEST_H

#include "kernels.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct longest_room {
    double *here, *next; /* K x D */
    double *end;         /* K: best that ends now */
    int32_t *lasted;     /* T x K: how long, less 1, had the best stay lasted that ends here */
    int32_t *from;       /* T x K: the state before, where one begins here */
    char *still;         /* T x K: whether the longest stays lasted on from such */
};

static void longest_step(const struct mixtura_longest *a, struct longest_room *room,
                         const double *log_density, int64_t first, int64_t t)
{
    const int64_t K = a->K, D = a->D;
    const double *moves = a->moves + (first + t) * a->apart;
    for (int64_t k = 0; k < K; k++) {
        const double *here = room->here + k * D, *leave = a->leave + k * D;
        int64_t which = 0;
        for (int64_t u = 1; u < D; u++)
            if (here[u] + leave[u] > here[which] + leave[which])
                which = u;
        room->end[k] = here[which] + leave[which];
        room->lasted[(t - 1) * K + k] = (int32_t)which;
    }
    for (int64_t k = 0; k < K; k++) {
        const double *here = room->here + k * D, *keep = a->keep + k * D;
        double *next = room->next + k * D, b = log_density[k];
        int64_t which = 0;
        for (int64_t i = 1; i < K; i++)
            if (room->end[i] + moves[i * K + k] > room->end[which] + moves[which * K + k])
                which = i;
        next[0] = room->end[which] + moves[which * K + k] + b;
        room->from[t * K + k] = (int32_t)which;
        for (int64_t u = 1; u < D; u++)
            next[u] = here[u - 1] + keep[u - 1] + b;
        double still = here[D - 1] + keep[D - 1] + b;
        room->still[t * K + k] = still > next[D - 1];
        if (still > next[D - 1])
            next[D - 1] = still;
    }
    double *swap = room->here;
    room->here = room->next;
    room->next = swap;
}

static double longest_one(const struct mixtura_longest *a, struct longest_room *room, int64_t first,
                          int64_t T)
{
    const int64_t K = a->K, D = a->D;
    const double *log_density = a->log_density + first * K;
    for (int64_t i = 0; i < K * D; i++)
        room->here[i] = i % D ? -INFINITY : a->initial[i / D] + log_density[i / D];
    for (int64_t t = 1; t < T; t++)
        longest_step(a, room, log_density + t * K, first, t);
    int64_t best = 0;
    for (int64_t i = 1; i < K * D; i++)
        if (room->here[i] > room->here[best])
            best = i;
    int64_t k = best / D, u = best % D;
    for (int64_t t = T - 1; t >= 0; t--) {
        a->states[first + t] = k;
        if (u == 0 && t) {
            k = room->from[t * K + k];
            u = room->lasted[(t - 1) * K + k];
        } else if (t && !(u == D - 1 && room->still[t * K + k]))
            u--;
    }
    return room->here[best];
}

static int longest(const struct mixtura_longest *a)
{
    const int64_t K = a->K, size = K * a->D;
    int64_t most = 1, first = 0;
    for (int64_t s = 0; s < a->sequences; first = a->ends[s++])
        if (a->ends[s] - first > most)
            most = a->ends[s] - first;
    double *numbers = malloc((size_t)(2 * size + K) * sizeof(double));
    int32_t *back = malloc((size_t)(2 * most * K) * sizeof(int32_t));
    char *still = malloc((size_t)(most * K));
    if (numbers && back && still) {
        struct longest_room room = {numbers, numbers + size, numbers + 2 * size,
                                    back,    back + most * K, still};
        first = 0;
        for (int64_t s = 0; s < a->sequences; first = a->ends[s++])
            a->loglik[s] = longest_one(a, &room, first, a->ends[s] - first);
    }
    int failed = !(numbers && back && still);
    free(numbers);
    free(back);
    free(still);
    return failed;
}

#endif
