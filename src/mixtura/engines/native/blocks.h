/* Block models by sequential variational EM: the memberships of one node after the other, the others
 * held, then block weights and matrix; models/block_model.py says which bound that climbs.
 *
 * All laws of edges are exponential families in x with ln f(x) = x H - A + h(x): of a node only the
 * sums over its edges and its pairs are needed, so a sweep costs (edges + nodes K) K. */
#ifndef MIXTURA_BLOCKS_H
#define MIXTURA_BLOCKS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum block_law { BERNOULLI, POISSON, NORMAL };

/* Shares of pairs and rates are kept this far off their ends, where a logarithm has none. */
#define LEAST_SHARE 1e-12
/* The variance of normal edges is no less than this share of that of all pairs. */
#define LEAST_VARIANCE 1e-8

struct block_work {
    double *natural, *zero; /* K x K: ln f(x) - ln f(0) per unit of x, ln f(0) */
    double *log_weight, *total, *out, *in, *pairs, *pairs_in, *score, *met, *among;
};

static void add_lines(const struct mixtura_graph *g, int64_t i, const double *tau, int64_t K, double *sum)
{
    for (int64_t e = g->ptr[i]; e < g->ptr[i + 1]; e++) {
        const double *line = tau + (int64_t)g->idx[e] * K;
        double x = g->val ? g->val[e] : 1.0;
        for (int64_t l = 0; l < K; l++)
            sum[l] += x * line[l];
    }
}

/* What node i's pairs in one direction hold: edges by block of the other end, and pairs. */
static void node_sums(const struct mixtura_blocks *b, const struct block_work *w,
                   const struct mixtura_graph *edges, const struct mixtura_graph *listed, int64_t i,
                   double *out, double *pairs)
{
    int64_t K = b->K;
    memset(out, 0, (size_t)K * 8);
    memset(pairs, 0, (size_t)K * 8);
    add_lines(edges, i, b->tau, K, out);
    if (listed->ptr)
        add_lines(listed, i, b->tau, K, pairs);
    const double *own = b->tau + i * K;
    for (int64_t l = 0; l < K; l++)
        pairs[l] = b->complete ? w->total[l] - own[l] - pairs[l] : pairs[l];
    if (b->sides.nodes) {
        /* Nodes of one side are no pair. */
        int64_t from, to;
        own_blocks(&b->sides, i, K, &from, &to);
        memset(pairs + from, 0, (size_t)(to - from) * 8);
    }
}

static void natural_parameters(const struct mixtura_blocks *b, struct block_work *w)
{
    for (int64_t q = 0; q < b->K * b->K; q++) {
        double t = b->matrix[q];
        if (b->law == BERNOULLI) {
            w->natural[q] = log(t) - log1p(-t);
            w->zero[q] = log1p(-t);
        } else if (b->law == POISSON) {
            w->natural[q] = log(t);
            w->zero[q] = -t;
        } else {
            w->natural[q] = t / *b->variance;
            w->zero[q] = -0.5 * t * t / *b->variance;
        }
    }
    for (int64_t k = 0; k < b->K; k++)
        w->log_weight[k] = log(fmax(b->weights[k], 1e-300));
}

static void place_node(const struct mixtura_blocks *b, struct block_work *w, int64_t i)
{
    int64_t K = b->K, from, to;
    double *own = b->tau + i * K, most = -HUGE_VAL, sum = 0.0;
    own_blocks(&b->sides, i, K, &from, &to);
    node_sums(b, w, &b->out, &b->listed_out, i, w->out, w->pairs);
    if (b->directed)
        node_sums(b, w, &b->in, &b->listed_in, i, w->in, w->pairs_in);
    for (int64_t k = from; k < to; k++) {
        double f = w->log_weight[k];
        for (int64_t l = 0; l < K; l++)
            f += w->natural[k * K + l] * w->out[l] + w->zero[k * K + l] * w->pairs[l];
        if (b->directed)
            for (int64_t l = 0; l < K; l++)
                f += w->natural[l * K + k] * w->in[l] + w->zero[l * K + k] * w->pairs_in[l];
        if (b->loops && b->loops[i] == b->loops[i])
            f += w->natural[k * K + k] * b->loops[i] + w->zero[k * K + k];
        w->score[k] = f;
        most = fmax(most, f);
    }
    for (int64_t k = from; k < to; k++)
        sum += w->score[k] = exp(w->score[k] - most);
    for (int64_t k = from; k < to; k++) {
        double share = w->score[k] / sum;
        w->total[k] += share - own[k];
        own[k] = share;
    }
}

/* Block weights and matrix that are best for these memberships, and the bound there. */
static double blocks_m_step(const struct mixtura_blocks *b, struct block_work *w)
{
    int64_t K = b->K, n = b->n;
    double bound = 0.0, half = b->directed ? 1.0 : 0.5;
    memset(w->total, 0, (size_t)K * 8);
    memset(w->met, 0, (size_t)(K * K) * 8);
    memset(w->among, 0, (size_t)(K * K) * 8);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < K; k++)
            w->total[k] += b->tau[i * K + k];
    for (int64_t i = 0; i < n; i++) {
        const double *own = b->tau + i * K;
        node_sums(b, w, &b->out, &b->listed_out, i, w->out, w->pairs);
        for (int64_t k = 0; k < K; k++) {
            double t = own[k];
            if (t <= 0.0)
                continue;
            bound -= t * log(t);
            for (int64_t l = 0; l < K; l++) {
                w->met[k * K + l] += half * t * w->out[l];
                w->among[k * K + l] += half * t * w->pairs[l];
            }
            if (b->loops && b->loops[i] == b->loops[i]) {
                w->met[k * K + k] += t * b->loops[i];
                w->among[k * K + k] += t;
            }
        }
    }
    double explained = 0.0, edges = 0.0, pairs = 0.0;
    for (int64_t q = 0; q < K * K; q++) {
        edges += w->met[q];
        pairs += w->among[q];
    }
    for (int64_t k = 0; k < K; k++) {
        b->weights[k] = w->total[k] / (double)n;
        for (int64_t l = 0; l < K; l++) {
            /* Halves of what is counted in both orders lie on both sides of the diagonal. */
            double met = w->met[k * K + l], among = w->among[k * K + l];
            if (!b->directed) {
                met += w->met[l * K + k];
                among += w->among[l * K + k];
            }
            double t = among > 1e-12 ? met / among : edges / pairs;
            if (b->law != NORMAL)
                t = fmax(t, LEAST_SHARE);
            if (b->law == BERNOULLI)
                t = fmin(t, 1.0 - LEAST_SHARE);
            b->matrix[k * K + l] = t;
            explained += t * (2.0 * w->met[k * K + l] - t * w->among[k * K + l]);
        }
    }
    if (b->law == NORMAL) {
        double least = LEAST_VARIANCE * (b->squares / pairs - edges / pairs * (edges / pairs));
        *b->variance = fmax((b->squares - explained) / pairs, least);
        bound -= 0.5 * pairs * log(2.0 * 3.141592653589793 * *b->variance) +
                 0.5 * b->squares / *b->variance;
    } else
        bound -= b->squares;
    natural_parameters(b, w);
    for (int64_t k = 0; k < K; k++) {
        bound += w->total[k] * w->log_weight[k];
        for (int64_t l = 0; l < K; l++)
            bound += w->natural[k * K + l] * w->met[k * K + l] + w->zero[k * K + l] * w->among[k * K + l];
    }
    return bound;
}

/* Returns 1 without memory, 2 where the bound fell. */
static int blocks(struct mixtura_blocks *b)
{
    int64_t K = b->K;
    double *memory = malloc((size_t)(4 * K * K + 7 * K) * 8);
    if (!memory)
        return 1;
    struct block_work w = {.natural = memory};
    w.zero = w.natural + K * K;
    w.met = w.zero + K * K;
    w.among = w.met + K * K;
    w.log_weight = w.among + K * K;
    w.total = w.log_weight + K;
    w.out = w.total + K;
    w.in = w.out + K;
    w.pairs = w.in + K;
    w.pairs_in = w.pairs + K;
    w.score = w.pairs_in + K;
    double bound = blocks_m_step(b, &w), before = 0.0;
    int status = 0;
    b->steps = 0;
    b->gap = HUGE_VAL;
    b->trace[0] = bound;
    while (b->steps < b->max_iter && b->gap > b->tol) {
        double last = bound - before;
        before = bound;
        for (int64_t i = 0; i < b->n; i++)
            place_node(b, &w, b->order[i]);
        bound = blocks_m_step(b, &w);
        b->trace[++b->steps] = bound;
        double gain = bound - before;
        if (gain < -1e-9 * (1.0 + fabs(bound))) {
            status = 2;
            break;
        }
        /* Gains shrink by a steady factor near the end (Aitken). */
        double rate = b->steps > 1 && last > 0.0 ? fmin(gain / last, 0.999) : 0.999;
        b->gap = gain <= 0.0 ? 0.0 : gain * fmax(rate, 0.5) / (1.0 - rate);
    }
    free(memory);
    return status;
}

#endif
