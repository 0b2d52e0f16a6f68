/* Hidden Markov chains whose transitions differ from step to step: smoothed or filtered states, the
 * moves of each step, or the likeliest path. Scaled as in stays.h. */
#ifndef MIXTURA_DRIVEN_H
#define MIXTURA_DRIVEN_H

#include "stays.h"

#include <stdint.h>

/* Forward: posterior is that of the steps so far; scaled (T x K) emissions over what steps are worth.
 * Returns the log-likelihood. */
static double driven_forward(const struct mixtura_driven *a, double *scaled, int64_t first, int64_t T)
{
    const int64_t K = a->K;
    double loglik = 0.0;
    for (int64_t t = 0; t < T; t++) {
        double *here = a->posterior + (first + t) * K, *ahead = a->ahead + (first + t) * K;
        const double *moves = a->moves + (first + t) * K * K;
        for (int64_t j = 0; j < K; j++) {
            ahead[j] = t ? 0.0 : a->initial[j];
            for (int64_t i = 0; t && i < K; i++)
                ahead[j] += here[i - K] * moves[i * K + j];
        }
        loglik += stays_scaled(scaled + t * K, a->log_density + (first + t) * K, ahead, K);
        if (!(loglik > -INFINITY))
            return -INFINITY;
        for (int64_t j = 0; j < K; j++)
            here[j] = ahead[j] * scaled[t * K + j];
    }
    return loglik;
}

/* Filtered becomes smoothed; met (T x K x K) are the moves into each step. */
static void driven_backward(const struct mixtura_driven *a, const double *scaled, double *beta,
                            int64_t first, int64_t T)
{
    const int64_t K = a->K;
    double *to = beta + K;
    for (int64_t k = 0; k < K; k++)
        beta[k] = 1.0;
    for (int64_t t = T - 1; t > 0; t--) {
        const double *moves = a->moves + (first + t) * K * K;
        double *met = a->met + (first + t) * K * K, *before = a->posterior + (first + t - 1) * K;
        for (int64_t j = 0; j < K; j++)
            to[j] = scaled[t * K + j] * beta[j];
        for (int64_t i = 0; i < K; i++) {
            double sum = 0.0;
            for (int64_t j = 0; j < K; j++) {
                met[i * K + j] = before[i] * moves[i * K + j] * to[j];
                sum += moves[i * K + j] * to[j];
            }
            beta[i] = sum;
        }
        for (int64_t i = 0; i < K; i++)
            before[i] *= beta[i];
    }
}

/* Viterbi (1967), in logarithms; from (T x K) is the state before. */
static double driven_path(const struct mixtura_driven *a, int32_t *from, double *room, int64_t first,
                          int64_t T)
{
    const int64_t K = a->K;
    double *here = room, *next = room + K;
    for (int64_t k = 0; k < K; k++)
        here[k] = log(a->initial[k]) + a->log_density[first * K + k];
    for (int64_t t = 1; t < T; t++) {
        const double *moves = a->moves + (first + t) * K * K;
        for (int64_t j = 0; j < K; j++) {
            double best = here[0] + log(moves[j]);
            from[t * K + j] = 0;
            for (int64_t i = 1; i < K; i++) {
                double other = here[i] + log(moves[i * K + j]);
                if (other > best) {
                    best = other;
                    from[t * K + j] = (int32_t)i;
                }
            }
            next[j] = best + a->log_density[(first + t) * K + j];
        }
        double *swap = here;
        here = next;
        next = swap;
    }
    int64_t best = 0;
    for (int64_t k = 1; k < K; k++)
        if (here[k] > here[best])
            best = k;
    double value = here[best];
    for (int64_t t = T - 1; t >= 0; t--) {
        a->states[first + t] = best;
        best = t ? from[t * K + best] : 0;
    }
    return value;
}

static int driven(const struct mixtura_driven *a)
{
    const int64_t K = a->K;
    int64_t longest = 1, first = 0;
    for (int64_t s = 0; s < a->sequences; first = a->ends[s++])
        if (a->ends[s] - first > longest)
            longest = a->ends[s] - first;
    double *scaled = malloc((size_t)((longest + 2) * K) * sizeof(double));
    if (!scaled)
        return 1;
    first = 0;
    for (int64_t s = 0; s < a->sequences; first = a->ends[s++]) {
        int64_t T = a->ends[s] - first;
        if (a->states) {
            a->loglik[s] = driven_path(a, (int32_t *)(void *)scaled, scaled + longest * K, first, T);
            continue;
        }
        a->loglik[s] = driven_forward(a, scaled, first, T);
        if (!(a->loglik[s] > -INFINITY))
            memset(a->posterior + first * K, 0, (size_t)(T * K) * sizeof(double));
        else if (a->met)
            driven_backward(a, scaled, scaled + longest * K, first, T);
    }
    free(scaled);
    return 0;
}

#endif
