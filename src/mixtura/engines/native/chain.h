/* Hidden Markov chains: smoothing and filtering of whole sequences, one after the other, where those
 * that run side by side (stretches.h) run out of numbers.
 *
 * Scaled, not in logarithms (Rabiner 1989, Proc. IEEE 77, section V.A): emissions are divided by
 * the step's largest before they are exponentiated, and the forward vector is made to sum to 1 at
 * each step. Where a step has no mass left, the largest is taken among the states that can be there;
 * a sequence for which even that is none has a log-likelihood of -infinity here, and its posteriors
 * are 0: the caller looks at it in logarithms. So has one of barred moves in which what kept forward
 * vectors up counts, as barred.h says.
 */
#ifndef MIXTURA_CHAIN_H
#define MIXTURA_CHAIN_H

#include "barred.h"
#include "simd.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* b = exp(log density - the row's largest), in place; top (n) is what was taken away. */
static void chain_lifted(double *b, double *top, int64_t n, int64_t K)
{
    for (int64_t t = 0; t < n; t++) {
        double *row = b + t * K, best = row[0];
        for (int64_t k = 1; k < K; k++)
            best = row[k] > best ? row[k] : best;
        top[t] = best > -INFINITY ? best : 0.0;
        for (int64_t k = 0; k < K; k++)
            row[k] -= top[t];
    }
    int64_t size = n * K, i = 0;
    const vec least = splat(EXP_LEAST);
    for (; i + VL <= size; i += VL)
        store(b + i, exp_above(load(b + i), least));
    for (; i < size; i++)
        b[i] = b[i] > EXP_LEAST ? exp(b[i]) : 0.0;
}

/* The step's emissions once more from what they were, divided so that the likeliest state that can be
 * there is worth 1. */
static double chain_relifted(double *b, double top, const double *log_density,
                             const double *ahead, int64_t K)
{
    double best = -INFINITY;
    for (int64_t k = 0; k < K; k++)
        if (ahead[k] > DBL_MIN && log_density[k] + log(ahead[k]) > best)
            best = log_density[k] + log(ahead[k]);
    if (!(best > -INFINITY))
        return top;
    for (int64_t k = 0; k < K; k++)
        b[k] = ahead[k] > DBL_MIN ? exp(log_density[k] - best) : 0.0;
    return best;
}

/* out = move' in: out_j = sum_i in_i move_ij. */
INLINE void chain_moved(double *restrict out, const double *restrict in,
                        const double *restrict move, const int64_t K)
{
    for (int64_t j = 0; j < K; j++)
        out[j] = in[0] * move[j];
    for (int64_t i = 1; i < K; i++)
        for (int64_t j = 0; j < K; j++)
            out[j] += in[i] * move[i * K + j];
}

/* What one run over sequences has: emissions, of each step what was taken from them, sums; moves. */
struct chain_room {
    const struct mixtura_chain *asked;
    double *b, *top, *scale, *moves, *back, *raised;
};

/* The step's forward vector from what is ahead, and what was added of it; its sum. */
INLINE double chain_step(double *restrict a, double *restrict added, double *restrict ahead,
                         double *restrict more, const double *restrict b, const int barred,
                         const int64_t K)
{
    double sum = 0.0;
    for (int64_t k = 0; k < K; k++) {
        a[k] = ahead[k] * b[k];
        if (barred) {
            double least = ahead[k] > 0.0 ? LOST : 0.0;
            added[k] = more[k] * b[k] + (a[k] < least ? least : 0.0);
            a[k] = a[k] < least ? least : a[k];
        }
        sum += a[k];
    }
    return sum;
}

/* alpha (n x K), filtered: P(state | steps so far); scale (n). Returns the log-likelihood. */
INLINE double chain_forward(const struct chain_room *r, double *restrict alpha, int64_t first,
                            int64_t last, int every, const int barred, const int64_t K)
{
    const struct mixtura_chain *c = r->asked;
    double loglik = 0.0, ahead[K], more[K], added[K], sum_added = 0.0;
    for (int64_t t = first; t < last; t++) {
        double *here = r->b + (t - first) * K, *a = alpha + (t - first) * K;
        for (int64_t k = 0; k < K && t == first; k++) {
            ahead[k] = c->initial[k];
            more[k] = 0.0;
        }
        if (t > first)
            chain_moved(ahead, a - K, r->moves, K);
        if (t > first && barred)
            chain_moved(more, added, r->moves, K);
        for (int64_t k = 0; k < K && t > first && barred; k++)
            more[k] += r->raised[k];
        double sum = chain_step(a, added, ahead, more, here, barred, K);
        if (!(sum > (barred ? BARRED_FAINT : FAINT))) {
            r->top[t - first] =
                chain_relifted(here, r->top[t - first], c->log_density + t * K, ahead, K);
            sum = chain_step(a, added, ahead, more, here, barred, K);
            if (!(sum > (barred ? BARRED_FAINT : 0.0)))
                return -INFINITY;
        }
        double over = 1.0 / sum;
        sum_added = 0.0;
        for (int64_t k = 0; k < K; k++) {
            a[k] *= over;
            if (barred)
                sum_added += added[k] *= over;
        }
        if (every && !(sum_added < ADDED))
            return -INFINITY;
        r->scale[t - first] = sum;
        loglik += log(sum) + r->top[t - first];
    }
    return sum_added < ADDED ? loglik : -INFINITY;
}

/* Filtered becomes smoothed; `met` (K x K) += weight times the moves' posterior over move_ij. */
INLINE void chain_backward(const struct chain_room *r, double *restrict alpha, double *restrict met,
                           double weight, int64_t n, const int64_t K)
{
    const double *back = r->back, *b = r->b, *scale = r->scale;
    double beta[K], w[K];
    for (int64_t k = 0; k < K; k++)
        beta[k] = 1.0;
    for (int64_t t = n - 1; t > 0; t--) {
        const double *before = alpha + (t - 1) * K, over = 1.0 / scale[t];
        double *a = alpha + t * K, *here = alpha + t * K;
        for (int64_t k = 0; k < K; k++) {
            double behind = beta[k] * over;
            w[k] = b[t * K + k] * (behind < MOST ? behind : MOST);
        }
        for (int64_t k = 0; k < K; k++)
            here[k] = a[k] * beta[k];
        for (int64_t i = 0; i < K; i++) {
            double share = weight * before[i];
            for (int64_t j = 0; j < K; j++)
                met[i * K + j] += share * w[j];
        }
        chain_moved(beta, w, back, K);
    }
    for (int64_t k = 0; k < K; k++)
        alpha[k] *= beta[k];
}

INLINE void chain_of(const struct chain_room *r, const int barred, const int64_t K)
{
    const struct mixtura_chain *c = r->asked;
    for (int64_t s = 0, first = 0; s < c->sequences; first = c->ends[s++]) {
        int64_t n = c->ends[s] - first;
        double *alpha = c->posterior + first * K;
        memcpy(r->b, c->log_density + first * K, (size_t)(n * K) * 8);
        chain_lifted(r->b, r->top, n, K);
        c->loglik[s] = chain_forward(r, alpha, first, c->ends[s], !c->met, barred, K);
        if (c->loglik[s] == -INFINITY)
            memset(alpha, 0, (size_t)(n * K) * 8);
        else if (c->met)
            chain_backward(r, alpha, c->met, c->weight ? c->weight[s] : 1.0, n, K);
    }
}

static int64_t chain_longest(const struct mixtura_chain *c)
{
    int64_t most = 1;
    for (int64_t s = 0, first = 0; s < c->sequences; first = c->ends[s++])
        most = c->ends[s] - first > most ? c->ends[s] - first : most;
    return most;
}

/* Smoothed states and moves; without `met` filtered states. */
static int chain(const struct mixtura_chain *c)
{
    int64_t K = c->K, most = chain_longest(c);
    struct chain_room r = {.asked = c};
    r.b = malloc((size_t)(most * (K + 2) + (2 * K + 1) * K) * 8);
    if (!r.b)
        return 1;
    r.top = r.b + most * K;
    r.scale = r.top + most;
    r.moves = r.scale + most;
    r.back = r.moves + K * K;
    r.raised = r.back + K * K;
    int barred = raised_moves(c->moves, r.moves, r.back, r.raised, K);
    /* Loops of a length that the compiler knows are several times as fast. */
    switch (barred ? 0 : K) {
#define CHAIN_OF(size) \
    case size: chain_of(&r, 0, size); break;
        CHAIN_OF(2)
        CHAIN_OF(3)
        CHAIN_OF(4)
        CHAIN_OF(5)
        CHAIN_OF(6)
        CHAIN_OF(8)
        CHAIN_OF(10)
#undef CHAIN_OF
    default: chain_of(&r, barred, K);
    }
    if (c->met)
        for (int64_t i = 0; i < K * K; i++)
            c->met[i] *= c->moves[i];
    free(r.b);
    return 0;
}

#endif
