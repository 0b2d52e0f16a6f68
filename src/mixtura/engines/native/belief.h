/* Belief propagation for block models of sparse networks (Decelle, Krzakala, Moore & Zdeborova 2011).
 *
 * Along each edge goes what a node would be without the other end; all pairs without an edge act
 * together as one field. Messages are kept where they arrive: slot e of node i holds what comes from
 * node idx[e], and back[e] is the slot of the same edge at the other end. */
#ifndef MIXTURA_BELIEF_H
#define MIXTURA_BELIEF_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

/* Logarithms of blocks that are out of the question. */
#define BELIEF_FLOOR 1e-300

static double power(double p, double times) { return times == 1.0 ? p : pow(p, times); }

static double softmax(int64_t K, double *log_shares)
{
    double most = -HUGE_VAL, sum = 0.0;
    for (int64_t k = 0; k < K; k++)
        most = fmax(most, log_shares[k]);
    for (int64_t k = 0; k < K; k++)
        sum += log_shares[k] = exp(log_shares[k] - most);
    for (int64_t k = 0; k < K; k++)
        log_shares[k] /= sum;
    return most + log(sum);
}

/* ln of what edge e tells of the blocks of the node where it arrives; parallel edges tell it again. */
static void told(const struct mixtura_belief *b, int64_t e, double *logs)
{
    int64_t K = b->K;
    const double *message = b->messages + e * K;
    double times = b->graph.val ? b->graph.val[e] : 1.0;
    for (int64_t k = 0; k < K; k++) {
        double sum = 0.0;
        for (int64_t s = 0; s < K; s++)
            sum += power(b->matrix[k * K + s], times) * message[s];
        logs[k] = log(fmax(sum, BELIEF_FLOOR));
    }
}

/* Returns the largest change of a message of this node; `log_norm` is ln Z of the node. */
static double visit(const struct mixtura_belief *b, int64_t i, double *field, double *scratch, double *log_norm)
{
    int64_t K = b->K, first = b->graph.ptr[i], last = b->graph.ptr[i + 1];
    double *total = scratch, *share = scratch + K, *logs = scratch + 2 * K, most = 0.0;
    double *own = b->tau + i * K;
    for (int64_t k = 0; k < K; k++) {
        /* A node is no pair with itself. */
        double self = 0.0;
        for (int64_t s = 0; s < K; s++)
            self += b->matrix[k * K + s] * own[s];
        total[k] = log(fmax(b->weights[k], BELIEF_FLOOR)) - field[k] + self;
    }
    for (int64_t e = first; e < last; e++) {
        double *at = logs + (e - first) * K;
        told(b, e, at);
        for (int64_t k = 0; k < K; k++)
            total[k] += at[k];
    }
    memcpy(share, total, (size_t)K * 8);
    *log_norm = softmax(K, share);
    for (int64_t k = 0; k < K; k++)
        for (int64_t s = 0; s < K; s++)
            field[k] += b->matrix[k * K + s] * (share[s] - own[s]);
    memcpy(own, share, (size_t)K * 8);
    for (int64_t e = first; e < last; e++) {
        double *going = b->messages + b->back[e] * K;
        for (int64_t k = 0; k < K; k++)
            share[k] = total[k] - logs[(e - first) * K + k];
        softmax(K, share);
        for (int64_t k = 0; k < K; k++) {
            most = fmax(most, fabs(share[k] - going[k]));
            going[k] = share[k];
        }
    }
    return most;
}

/* What pairs in each two blocks are expected to be joined, and ln of the edges' norms. */
static double count_edges(const struct mixtura_belief *b, double *met)
{
    int64_t K = b->K;
    double norms = 0.0;
    memset(met, 0, (size_t)(K * K) * 8);
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t e = b->graph.ptr[i]; e < b->graph.ptr[i + 1]; e++) {
            const double *in = b->messages + e * K, *out = b->messages + b->back[e] * K;
            double sum = 0.0, times = b->graph.val ? b->graph.val[e] : 1.0;
            for (int64_t k = 0; k < K; k++)
                for (int64_t s = 0; s < K; s++)
                    sum += out[k] * in[s] * power(b->matrix[k * K + s], times);
            sum = fmax(sum, BELIEF_FLOOR);
            norms += 0.5 * log(sum);
            for (int64_t k = 0; k < K; k++)
                for (int64_t s = 0; s < K; s++)
                    met[k * K + s] +=
                        times * out[k] * in[s] * power(b->matrix[k * K + s], times) / sum;
        }
    return norms;
}

/* Pairs in blocks k and s, in both orders, by independent memberships. */
static void count_pairs(const struct mixtura_belief *b, double *pairs)
{
    int64_t K = b->K;
    double *total = calloc((size_t)K, 8);
    if (!total)
        return;
    memset(pairs, 0, (size_t)(K * K) * 8);
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t k = 0; k < K; k++) {
            total[k] += b->tau[i * K + k];
            for (int64_t s = 0; s < K; s++)
                pairs[k * K + s] -= b->tau[i * K + k] * b->tau[i * K + s];
        }
    for (int64_t k = 0; k < K; k++)
        for (int64_t s = 0; s < K; s++)
            pairs[k * K + s] += total[k] * total[s];
    free(total);
}

/* Sweeps, and after every few of them new weights and matrix where they are learned, until neither
 * messages nor parameters move. Returns 1 without memory. */
static int belief(struct mixtura_belief *b)
{
    int64_t K = b->K, widest = 0;
    for (int64_t i = 0; i < b->n; i++)
        if (b->graph.ptr[i + 1] - b->graph.ptr[i] > widest)
            widest = b->graph.ptr[i + 1] - b->graph.ptr[i];
    double *memory = malloc((size_t)(3 * K * K + (4 + widest) * K) * 8);
    if (!memory)
        return 1;
    double *met = memory, *pairs = met + K * K, *field = pairs + 2 * K * K, *scratch = field + K;
    b->steps = 0;
    b->change = HUGE_VAL;
    while (b->steps < b->max_iter && b->change > b->tol) {
        memset(field, 0, (size_t)K * 8);
        for (int64_t i = 0; i < b->n; i++)
            for (int64_t k = 0; k < K; k++)
                for (int64_t s = 0; s < K; s++)
                    field[k] += b->matrix[k * K + s] * b->tau[i * K + s];
        double norms = 0.0, one;
        for (int64_t sweep = 0; sweep < b->sweeps; sweep++) {
            b->change = norms = 0.0;
            for (int64_t a = 0; a < b->n; a++) {
                b->change = fmax(b->change, visit(b, b->order[a], field, scratch, &one));
                norms += one;
            }
            if (b->change <= b->tol)
                break;
        }
        norms -= count_edges(b, met);
        count_pairs(b, pairs);
        for (int64_t q = 0; q < K * K; q++)
            norms += 0.5 * b->matrix[q] * pairs[q];
        b->trace[b->steps++] = norms - b->log_factorials;
        if (!b->learned)
            continue;
        memset(b->weights, 0, (size_t)K * 8);
        for (int64_t i = 0; i < b->n; i++)
            for (int64_t k = 0; k < K; k++)
                b->weights[k] += b->tau[i * K + k] / (double)b->n;
        for (int64_t q = 0; q < K * K; q++) {
            double now = fmax(met[q] / fmax(pairs[q], 1e-12), 1e-12);
            b->change = fmax(b->change, fabs(now - b->matrix[q]) / fmax(now, b->matrix[q]));
            b->matrix[q] = now;
        }
    }
    free(memory);
    return 0;
}

#endif
