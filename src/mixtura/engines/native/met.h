/* How often lanes of a block moved from each state to each, in tiles that stay in registers. */
#ifndef MIXTURA_MET_H
#define MIXTURA_MET_H

#include "lanes.h"

/* Moves from `from` states on to `to` states, from i and j on, over n steps. */
INLINE void met_tile(struct chain_lanes *g, int64_t n, int64_t i, int64_t j, const int from,
                     const int to)
{
    const int64_t stride = g->e.stride;
    const double *u = g->u + i * stride - VL, *w = g->e.b + j * stride;
    vec sum[4][4];
    for (int h = 0; h < from; h++)
        for (int m = 0; m < to; m++)
            sum[h][m] = splat(0.0);
    for (int64_t t = 0; t < n * VL; t += VL) {
        vec into[4];
        for (int m = 0; m < to; m++)
            into[m] = load(w + m * stride + t);
        for (int h = 0; h < from; h++) {
            vec at = load(u + h * stride + t);
            for (int m = 0; m < to; m++)
                sum[h][m] += at * into[m];
        }
    }
    for (int h = 0; h < from; h++)
        for (int m = 0; m < to; m++) {
            double *met = g->met + ((i + h) * g->K + j + m) * VL;
            store(met, load(met) + sum[h][m]);
        }
}

static void lanes_met(struct chain_lanes *g, int64_t n)
{
    for (int64_t i = 0; i < g->K; i += 4)
        for (int64_t j = 0; j < g->K; j += 4)
            switch (4 * LEAST(g->K - i, 4) + LEAST(g->K - j, 4) - 5) {
#define MET(from, to) \
    case 4 * from + to - 5: met_tile(g, n, i, j, from, to); break;
#define MET_TO(from) MET(from, 1) MET(from, 2) MET(from, 3) MET(from, 4)
                MET_TO(1)
                MET_TO(2)
                MET_TO(3)
                MET_TO(4)
#undef MET_TO
#undef MET
            }
}

#endif
