/* Screening, for many columns: most rows are nowhere near most components.
 *
 * The first columns of the whitened row already bound its log density from above, and
 * cost a small part of the triangle. Each row is worked out in full for the component
 * with the highest bound; then, for the others, only where the bound is not negligible
 * beside that. What is left out would have come to a responsibility that changes no digit
 * (see negligible), so results are those of the plain E-step. */
#ifndef MIXTURA_SCREEN_H
#define MIXTURA_SCREEN_H

#include <math.h>

#include "block.h"

/* How far below the best a log density of component k may lie and still matter.
 *
 * A responsibility below 1e-32 of the component's own count so far cannot change any
 * digit of its sums, squared distances included, and a density below exp(-50) of the best
 * cannot change the row's total. heaviest is the largest sample weight. */
static double negligible(const struct work *w, int64_t k, double heaviest)
{
    double cut = log(1e-32 * sum_lanes(load(w->count + k * VL)) / heaviest);
    return cut > EXP_LEAST ? LEAST(cut, -50.0) : EXP_LEAST;
}

/* Upper bounds into log_p, their largest into best, whose component into guess. */
static void screen_bounds(struct work *w, int64_t nv)
{
    int64_t ld = w->ld;
    for (int64_t k = 0; k < w->K; k++) {
        double *log_p = w->log_p + k * w->stride;
        wide_product(w->x, 0, nv * VL, w->d, ld, w->lead, w->means + k * ld,
                     w->packed + k * wide_packed_size(w->d, ld), w->tmp, w->square);
        for (int64_t v = 0; v < nv; v++) {
            vec p = w->shift[k] - 0.5 * sum_each(w->square + v * VL * VL);
            store(log_p + v * VL, p);
            if (k == 0) {
                store(w->best + v * VL, p);
                w->guess[v] = (ivec){0};
                continue;
            }
            vec best = load(w->best + v * VL);
            ivec more = (ivec)(p > best);
            store(w->best + v * VL, pick(more, p, best));
            w->guess[v] = (w->guess[v] & ~more) | ((lane)k & more);
        }
    }
}

/* Work out component k in full for the rows of a segment; log densities go to log_p and
 * raise best. The list is padded to whole tiles. */
static void screen_segment(struct work *w, int64_t k, const struct segment *s, int first)
{
    int64_t ld = w->ld, n = ROUND_UP(s->n, TILE_ROWS);
    int32_t *list = w->listed + s->start;
    double *log_p = w->log_p + k * w->stride;
    for (int64_t t = s->n; t < n; t++)
        list[t] = list[0];
    wide_product(w->x, list, n, w->d, ld, ld, w->means + k * ld,
                 w->packed + k * wide_packed_size(w->d, ld), w->y + s->start * ld, w->square);
    for (int64_t t = 0; t < s->n; t += VL) {
        vec p = w->shift[k] - 0.5 * sum_each(w->square + t * VL);
        for (int64_t l = 0; l < VL && t + l < s->n; l++) {
            int64_t i = list[t + l];
            log_p[i] = p[l];
            if (first || p[l] > w->best[i])
                w->best[i] = p[l];
        }
    }
}

/* Like block_density, but log_p is -inf where a row need not look at a component. Returns
 * 0 when screening leaves too much; then the block must be done plainly. */
static int screen_density(struct work *w, int64_t nv, int *pays)
{
    int64_t K = w->K, at = 0;
    struct segment *same = w->segments, *other = w->segments + K;
    screen_bounds(w, nv);
    for (int64_t k = 0; k < K; k++)
        same[k].n = other[k].n = 0;
    for (int64_t i = 0; i < nv * VL; i++)
        same[w->guess[i / VL][i % VL]].n++;
    for (int64_t k = 0; k < K; k++) {
        same[k].start = (int32_t)at;
        at += ROUND_UP(same[k].n, TILE_ROWS);
        same[k].n = 0;
    }
    for (int64_t i = 0; i < nv * VL; i++) {
        struct segment *s = &same[w->guess[i / VL][i % VL]];
        w->listed[s->start + s->n++] = (int32_t)i;
    }
    for (int64_t k = 0; k < K; k++)
        if (same[k].n)
            screen_segment(w, k, &same[k], 1);
    for (int64_t k = 0; k < K; k++) {
        double *log_p = w->log_p + k * w->stride;
        vec cut = splat(w->cut[k]);
        other[k].start = (int32_t)at;
        if (at + nv * VL + TILE_ROWS > w->y_rows) {
            *pays = 0;
            return 0;
        }
        for (int64_t v = 0; v < nv; v++) {
            vec bound = load(log_p + v * VL);
            ivec mine = (ivec)(w->guess[v] == (lane)k);
            unsigned bits = not_below(bound - load(w->best + v * VL), cut) &
                            ~not_below((vec)(mine & (ivec)splat(1.0)), splat(0.0));
            /* Rows guessed to be here have their density already. */
            store(log_p + v * VL, pick(mine, bound, splat(-__builtin_inf())));
            for (; bits; bits &= bits - 1)
                w->listed[at + other[k].n++] = (int32_t)(v * VL + __builtin_ctz(bits));
        }
        if (other[k].n)
            screen_segment(w, k, &other[k], 0);
        at += ROUND_UP(other[k].n, TILE_ROWS);
    }
    /* The bounds themselves cost a share of the triangle. */
    double share = (double)wide_tiles_size(w->lead) / (double)wide_packed_size(w->d, w->ld);
    *pays = (double)at < (0.7 - share) * (double)(nv * VL * K);
    return 1;
}

#endif
