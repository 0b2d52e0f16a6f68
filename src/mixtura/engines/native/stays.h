/* Hidden semi-Markov chains: how long a stay has lasted says how likely it ends.
 *
 * A state k and the steps u that its stay has lasted, the last of D standing for all longer ones, are
 * a Markov chain with K D states whose moves are few: a stay lasts on (keep), or ends (leave) and
 * another begins (moves). So a step costs K (D + K), and is scaled as in chain.h: seen_t(k, u) =
 * P(k, u | x_1..x_t). Going back they are asked for again in the other order, and worked out anew in
 * blocks of about sqrt(T) steps from one kept for each block.
 *
 * Yu (2010), Artificial Intelligence 174, section 2; Guedon (2003), J. Computational and Graphical
 * Statistics 12.
 */
#ifndef MIXTURA_STAYS_H
#define MIXTURA_STAYS_H

#include "kernels.h"
#include "simd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What one sequence is worked out in. */
struct stays_room {
    double *scaled;        /* T x K: emissions over what the step was worth */
    double *kept;          /* blocks x K x D: seen at the first step of each block */
    double *block;         /* steps of a block x K x D */
    double *after, *again; /* K x D: what is to come, at two steps */
    double *in, *out;      /* K: stays that begin, and that end */
};

INLINE double stays_dot(const double *one, const double *other, int64_t D)
{
    vec lanes = splat(0.0);
    int64_t u = 0;
    for (; u + VL <= D; u += VL)
        lanes += load(one + u) * load(other + u);
    double sum = sum_lanes(lanes);
    for (; u < D; u++)
        sum += one[u] * other[u];
    return sum;
}

INLINE double stays_sum(const double *row, int64_t D)
{
    vec lanes = splat(0.0);
    int64_t u = 0;
    for (; u + VL <= D; u += VL)
        lanes += load(row + u);
    double sum = sum_lanes(lanes);
    for (; u < D; u++)
        sum += row[u];
    return sum;
}

/* next = what is expected of step `row`, after `seen`, before it is looked at; out: stays that end. */
static void stays_step(const struct mixtura_stays *a, int64_t row, const double *seen, double *next,
                       double *in, double *out)
{
    const double *moves = a->moves + row * a->apart;
    const int64_t K = a->K, D = a->D;
    for (int64_t k = 0; k < K; k++)
        out[k] = stays_dot(seen + k * D, a->leave + k * D, D);
    for (int64_t j = 0; j < K; j++) {
        in[j] = 0.0;
        for (int64_t k = 0; k < K; k++)
            in[j] += out[k] * moves[k * K + j];
    }
    for (int64_t k = 0; k < K; k++) {
        const double *restrict row = seen + k * D, *restrict keep = a->keep + k * D;
        double *restrict to = next + k * D;
        to[0] = in[k];
        for (int64_t u = 1; u < D; u++)
            to[u] = row[u - 1] * keep[u - 1];
        to[D - 1] += row[D - 1] * keep[D - 1];
    }
}

static void stays_begin(const struct mixtura_stays *a, double *next)
{
    memset(next, 0, (size_t)(a->K * a->D) * sizeof(double));
    for (int64_t k = 0; k < a->K; k++)
        next[k * a->D] = a->initial[k];
}

static void stays_times(double *seen, const double *scale, int64_t K, int64_t D)
{
    for (int64_t k = 0; k < K; k++)
        for (int64_t u = 0; u < D; u++)
            seen[k * D + u] *= scale[k];
}

/* The emissions of a step over what it was worth, among states that can be there; the logarithm of
 * that, -infinity where it can be in none. ahead: P(k | x_1..x_t-1). */
static double stays_scaled(double *scaled, const double *log_density, const double *ahead, int64_t K)
{
    double best = -INFINITY, worth = 0.0;
    for (int64_t k = 0; k < K; k++)
        if (ahead[k] > 0.0 && log_density[k] > best)
            best = log_density[k];
    if (!(best > -INFINITY))
        return -INFINITY;
    for (int64_t k = 0; k < K; k++) {
        scaled[k] = ahead[k] > 0.0 ? exp(log_density[k] - best) : 0.0;
        worth += ahead[k] * scaled[k];
    }
    if (!(worth > 0.0))
        return -INFINITY;
    for (int64_t k = 0; k < K; k++)
        scaled[k] /= worth;
    return log(worth) + best;
}

/* Forward: posterior is that of the steps so far. Returns the log-likelihood. */
static double stays_forward(const struct mixtura_stays *a, struct stays_room *room, int64_t first,
                            int64_t T, int64_t block)
{
    const int64_t K = a->K, D = a->D, size = K * D;
    double *seen = room->after, *next = room->again, loglik = 0.0;
    for (int64_t t = 0; t < T; t++) {
        double *posterior = a->posterior + (first + t) * K, *scaled = room->scaled + t * K;
        if (t)
            stays_step(a, first + t, seen, next, room->in, room->out);
        else
            stays_begin(a, next);
        for (int64_t k = 0; k < K; k++)
            posterior[k] = stays_sum(next + k * D, D);
        if (a->ahead)
            memcpy(a->ahead + (first + t) * K, posterior, (size_t)K * sizeof(double));
        loglik += stays_scaled(scaled, a->log_density + (first + t) * K, posterior, K);
        if (!(loglik > -INFINITY))
            return -INFINITY;
        for (int64_t k = 0; k < K; k++)
            posterior[k] *= scaled[k];
        stays_times(next, scaled, K, D);
        if (room->kept && t % block == 0)
            memcpy(room->kept + t / block * size, next, (size_t)size * sizeof(double));
        double *swap = seen;
        seen = next;
        next = swap;
    }
    return loglik;
}

/* One step back: after is what was to come at t + 1, `row_after`, again what is at t; sums of both kinds. */
static void stays_back(const struct mixtura_stays *a, struct stays_room *room, int64_t row_after,
                       const double *seen, const double *scaled, double *posterior, double weight)
{
    const int64_t K = a->K, D = a->D;
    const double *moves = a->moves + row_after * a->apart;
    double *met = a->met + row_after * a->apart;
    double *after = room->after, *again = room->again, *to = room->in;
    for (int64_t j = 0; j < K; j++)
        to[j] = scaled[j] * after[j * D];
    for (int64_t k = 0; k < K; k++) {
        const double *restrict row = seen + k * D, *restrict leave = a->leave + k * D;
        const double *restrict keep = a->keep + k * D, *restrict then = after + k * D;
        double *restrict ended = a->ended + k * D, *restrict stayed = a->stayed + k * D;
        double *restrict now = again + k * D, on = 0.0;
        for (int64_t j = 0; j < K; j++)
            on += moves[k * K + j] * to[j];
        for (int64_t u = 0; u < D; u++) {
            double lasts = keep[u] * scaled[k] * then[u < D - 1 ? u + 1 : u];
            double ends = leave[u] * on;
            now[u] = lasts + ends;
            stayed[u] += weight * row[u] * lasts;
            ended[u] += weight * row[u] * ends;
        }
        posterior[k] = stays_dot(row, now, D);
        double out = stays_dot(row, leave, D);
        for (int64_t j = 0; j < K; j++)
            met[k * K + j] += weight * out * moves[k * K + j] * to[j];
    }
    room->after = again;
    room->again = after;
}

static void stays_backward(const struct mixtura_stays *a, struct stays_room *room, int64_t first,
                           int64_t T, int64_t block, double weight)
{
    const int64_t K = a->K, D = a->D, size = K * D;
    for (int64_t i = 0; i < size; i++)
        room->after[i] = 1.0;
    for (int64_t begin = (T - 1) / block * block; begin >= 0; begin -= block) {
        int64_t steps = T - begin < block ? T - begin : block;
        memcpy(room->block, room->kept + begin / block * size, (size_t)size * sizeof(double));
        for (int64_t i = 1; i < steps; i++) {
            double *next = room->block + i * size;
            stays_step(a, first + begin + i, next - size, next, room->in, room->out);
            stays_times(next, room->scaled + (begin + i) * K, K, D);
        }
        for (int64_t i = steps - 1; i >= 0; i--)
            if (begin + i < T - 1)
                stays_back(a, room, first + begin + i + 1, room->block + i * size,
                           room->scaled + (begin + i + 1) * K,
                           a->posterior + (first + begin + i) * K, weight);
    }
}

/* Smoothed states and sums of all sequences, or filtered states where no sums are asked for. */
static int stays(const struct mixtura_stays *a)
{
    const int64_t K = a->K, size = K * a->D;
    int64_t longest = 1, first = 0;
    for (int64_t s = 0; s < a->sequences; first = a->ends[s++])
        if (a->ends[s] - first > longest)
            longest = a->ends[s] - first;
    int64_t block = (int64_t)ceil(sqrt((double)longest)), many = longest / block + 1;
    int64_t of_blocks = a->met ? (many + block) * size : 0;
    double *all = malloc((size_t)(longest * K + of_blocks + 2 * size + 2 * K) * sizeof(double));
    if (!all)
        return 1;
    double *kept = all + longest * K, *rest = kept + of_blocks;
    struct stays_room room = {all,  a->met ? kept : NULL, kept + many * size, rest, rest + size,
                              rest + 2 * size, rest + 2 * size + K};
    first = 0;
    for (int64_t s = 0; s < a->sequences; first = a->ends[s++]) {
        int64_t T = a->ends[s] - first;
        a->loglik[s] = stays_forward(a, &room, first, T, block);
        if (!(a->loglik[s] > -INFINITY))
            memset(a->posterior + first * K, 0, (size_t)(T * K) * sizeof(double));
        else if (a->met)
            stays_backward(a, &room, first, T, block, a->weight ? a->weight[s] : 1.0);
    }
    free(all);
    return 0;
}

#endif
