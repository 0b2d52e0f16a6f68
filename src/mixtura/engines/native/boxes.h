/* Small concave quadratics, slope'd - d'curve d / 2, over a box or over shares, by coordinates. */
#ifndef MIXTURA_BOXES_H
#define MIXTURA_BOXES_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum { BOX_SWEEPS = 20, SHARE_STEPS = 60 };

/* to = p + d in [0, 1]^K, by coordinate ascent; slope is used up. */
static void box_step(int64_t K, double *slope, const double *curve, const double *p, double *to)
{
    memcpy(to, p, (size_t)K * 8);
    for (int sweep = 0; sweep < BOX_SWEEPS; sweep++) {
        double moved = 0.0;
        for (int64_t k = 0; k < K; k++) {
            double own = curve[k * K + k];
            if (!(own > 0.0))
                continue;
            double place = to[k] + slope[k] / own;
            place = place < 0.0 ? 0.0 : place > 1.0 ? 1.0 : place;
            double step = place - to[k];
            if (step == 0.0)
                continue;
            for (int64_t l = 0; l < K; l++)
                slope[l] -= step * curve[k * K + l];
            to[k] = place;
            moved = fmax(moved, fabs(step));
        }
        if (moved < 1e-7)
            return;
    }
}

/* to = q + d with shares that sum to what q sums to, by pairs: from the one whose slope is least,
 * among those that have a share, to the one whose slope is greatest. */
static void share_step(int64_t K, double *slope, const double *curve, const double *q, double *to)
{
    memcpy(to, q, (size_t)K * 8);
    for (int64_t step = 0; step < SHARE_STEPS * K; step++) {
        int64_t up = 0, down = -1;
        for (int64_t k = 0; k < K; k++) {
            if (slope[k] > slope[up])
                up = k;
            if (to[k] > 0.0 && (down < 0 || slope[k] < slope[down]))
                down = k;
        }
        if (down < 0 || up == down || !(slope[up] - slope[down] > 1e-9 * fabs(slope[up])))
            return;
        double bend = curve[up * K + up] + curve[down * K + down] - 2.0 * curve[up * K + down];
        double move = to[down];
        if (bend > 0.0)
            move = fmin(move, (slope[up] - slope[down]) / bend);
        to[up] += move;
        to[down] = move == to[down] ? 0.0 : to[down] - move;
        for (int64_t k = 0; k < K; k++)
            slope[k] -= move * (curve[k * K + up] - curve[k * K + down]);
    }
}

/* Every individual's shares (K x ld) improved, into to; curve is pairs x ld. */
static int ancestry_shares(const struct mixtura_shares *m)
{
    int64_t K = m->K;
    double *room = malloc((size_t)(3 * K + K * K) * 8);
    if (!room)
        return 1;
    double *slope = room, *q = room + K, *to = room + 2 * K, *curve = room + 3 * K;
    for (int64_t i = 0; i < m->n; i++) {
        int64_t e = 0;
        for (int64_t k = 0; k < K; k++) {
            slope[k] = m->slope[k * m->ld + i];
            q[k] = m->Q[k * m->ld + i];
            for (int64_t l = k; l < K; l++, e++)
                curve[k * K + l] = curve[l * K + k] = m->curve[e * m->ld + i];
        }
        share_step(K, slope, curve, q, to);
        for (int64_t k = 0; k < K; k++)
            m->to[k * m->ld + i] = to[k];
    }
    free(room);
    return 0;
}

#endif
