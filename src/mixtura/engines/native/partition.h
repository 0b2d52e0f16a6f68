/* Hard partitions of a network's nodes, one node moved at a time to the block where an objective of the
 * counts of edges between blocks is highest; models/partition.py says which objectives there are.
 *
 * Counts are of ends of edges: in undirected networks edges within a block count twice on the diagonal,
 * and rows are sums of degrees. */
#ifndef MIXTURA_PARTITION_H
#define MIXTURA_PARTITION_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum partition_objective { PROFILE, DESCRIPTION_DEGREES, DESCRIPTION };

/* Gains below this are rounding. */
#define LEAST_GAIN 1e-9

struct partition_work {
    double *met;   /* K x K */
    double *out, *in; /* K: sums of rows and columns */
    double *size;  /* K: nodes */
    double *to, *from; /* K: ends of the node at hand, by block of the other end */
    int64_t *joined, n_joined; /* K: the blocks that it has an edge with, in order, and how many they are */
    double *worth; /* K: what block_worth says of each block */
    double *alike; /* K x kinds: nodes of a block by degree, for the description of degrees */
    double leaves, knows[2]; /* of the node at hand: what its block's worth gains without it, ln alike */
};

static double table_at(const struct mixtura_partition *p, double x)
{
    int64_t i = (int64_t)x;
    if (i < p->table_size)
        return p->table[i];
    return p->objective == PROFILE ? x * log(x) : lgamma(x + 1.0);
}

/* What a count between two blocks is worth; of undirected networks it stands for both orders. */
static double pair_worth(const struct mixtura_partition *p, double x)
{
    return (p->objective == PROFILE && !p->directed ? 2.0 : 1.0) * table_at(p, x);
}

static double self_worth(const struct mixtura_partition *p, double x)
{
    if (p->objective == PROFILE || p->directed)
        return table_at(p, x);
    return table_at(p, 0.5 * x) + 0.5 * x * 0.6931471805599453;
}

/* ln of the ways to write m as a sum of at most n positive numbers: counted where m is small, else
 * Szekeres' asymptotics, by a table over ln u, u = n / sqrt(m), of its two parts. */
static double log_ways(const struct mixtura_partition *p, double m, double n)
{
    if (m < 1.0 || n < 2.0)
        return 0.0;
    n = fmin(n, m);
    if (m <= (double)p->counted_size)
        return p->counted[(int64_t)m * (p->counted_size + 1) + (int64_t)n];
    if (n * n * n * n < m)
        return lgamma(m) - lgamma(n) - lgamma(m - n + 1.0) - lgamma(n + 1.0);
    double root = sqrt(m), at = (log(n / root) - p->ways_from) / p->ways_step;
    int64_t i = (int64_t)fmin(fmax(at, 0.0), (double)(p->ways_size - 2));
    double share = at - (double)i;
    double f = p->ways[2 * i] + share * (p->ways[2 * i + 2] - p->ways[2 * i]);
    double g = p->ways[2 * i + 1] + share * (p->ways[2 * i + 3] - p->ways[2 * i + 1]);
    return fmax(f - log(m) + root * g, 0.0);
}

/* What a block's row (or column) sum is worth, with so many nodes. */
static double row_worth(const struct mixtura_partition *p, double sum, double nodes)
{
    if (p->objective == PROFILE)
        return -(p->directed ? 1.0 : 2.0) * table_at(p, sum);
    if (p->objective == DESCRIPTION_DEGREES)
        return -table_at(p, sum) - log_ways(p, sum, nodes);
    return nodes > 0.0 ? -sum * log(nodes) : 0.0;
}

static double block_worth(const struct mixtura_partition *p, double out, double in, double nodes)
{
    double worth = row_worth(p, out, nodes);
    if (p->directed)
        worth += row_worth(p, in, nodes);
    if (p->objective == DESCRIPTION)
        return worth + table_at(p, nodes);
    /* Out- and in-degrees are told apart, each by who has which; blocks by who is in which. */
    return p->objective != PROFILE && p->directed ? worth - table_at(p, nodes) : worth;
}

static void ends_of(const struct mixtura_partition *p, const struct mixtura_graph *g, int64_t i, double *ends)
{
    memset(ends, 0, (size_t)p->K * 8);
    for (int64_t e = g->ptr[i]; e < g->ptr[i + 1]; e++)
        ends[p->labels[g->idx[e]]] += g->val ? g->val[e] : 1.0;
}

/* What the objective gains where the node at hand, of degrees (out, in), goes from r to s. */
static double move_gain(const struct mixtura_partition *p, const struct partition_work *w, int64_t r,
                        int64_t s, double loop, double out, double in, int64_t i)
{
    int64_t K = p->K;
    const double *mr = w->met + r * K, *ms = w->met + s * K, *o = w->to, *f = w->from;
    double gain = 0.0;
    for (int64_t a = 0; a < w->n_joined; a++) {
        int64_t t = w->joined[a];
        if (t == r || t == s)
            continue;
        if (o[t] != 0.0)
            gain += pair_worth(p, mr[t] - o[t]) + pair_worth(p, ms[t] + o[t]) - pair_worth(p, mr[t]) -
                    pair_worth(p, ms[t]);
        if (p->directed && f[t] != 0.0) {
            double tr = w->met[t * K + r], ts = w->met[t * K + s];
            gain += pair_worth(p, tr - f[t]) + pair_worth(p, ts + f[t]) - pair_worth(p, tr) -
                    pair_worth(p, ts);
        }
    }
    gain += self_worth(p, mr[r] - o[r] - f[r] - loop) - self_worth(p, mr[r]);
    gain += self_worth(p, ms[s] + o[s] + f[s] + loop) - self_worth(p, ms[s]);
    gain += pair_worth(p, mr[s] - o[s] + f[r]) - pair_worth(p, mr[s]);
    if (p->directed)
        gain += pair_worth(p, ms[r] + o[r] - f[s]) - pair_worth(p, ms[r]);
    gain += w->leaves;
    gain += block_worth(p, w->out[s] + out, w->in[s] + in, w->size[s] + 1.0) - w->worth[s];
    if (p->objective == DESCRIPTION_DEGREES)
        for (int64_t q = 0; q <= p->directed; q++)
            gain += log(w->alike[s * p->kinds + p->kind[2 * i + q]] + 1.0) - w->knows[q];
    return gain;
}

/* What is the same wherever node i goes from r. */
static void at_hand(const struct mixtura_partition *p, struct partition_work *w, int64_t i, int64_t r,
                    double out, double in)
{
    w->leaves = block_worth(p, w->out[r] - out, w->in[r] - in, w->size[r] - 1.0) - w->worth[r];
    if (p->objective == DESCRIPTION_DEGREES)
        for (int64_t q = 0; q <= p->directed; q++)
            w->knows[q] = log(w->alike[r * p->kinds + p->kind[2 * i + q]]);
}

static void told_worth(const struct mixtura_partition *p, struct partition_work *w, int64_t r)
{
    w->worth[r] = block_worth(p, w->out[r], w->in[r], w->size[r]);
}

static void move_node(const struct mixtura_partition *p, struct partition_work *w, int64_t i, int64_t r,
                      int64_t s, double loop, double out, double in)
{
    int64_t K = p->K;
    for (int64_t a = 0; a < w->n_joined; a++) {
        int64_t t = w->joined[a];
        w->met[r * K + t] -= w->to[t];
        w->met[s * K + t] += w->to[t];
        w->met[t * K + r] -= w->from[t];
        w->met[t * K + s] += w->from[t];
    }
    w->met[r * K + r] -= loop;
    w->met[s * K + s] += loop;
    w->out[r] -= out;
    w->out[s] += out;
    w->in[r] -= in;
    w->in[s] += in;
    w->size[r] -= 1.0;
    w->size[s] += 1.0;
    for (int64_t q = 2 * i; p->kinds && q <= 2 * i + p->directed; q++) {
        w->alike[r * p->kinds + p->kind[q]] -= 1.0;
        w->alike[s * p->kinds + p->kind[q]] += 1.0;
    }
    told_worth(p, w, r);
    told_worth(p, w, s);
    p->labels[i] = (int32_t)s;
}

static double degree(const struct mixtura_graph *g, int64_t i)
{
    if (!g->val)
        return (double)(g->ptr[i + 1] - g->ptr[i]);
    double sum = 0.0;
    for (int64_t e = g->ptr[i]; e < g->ptr[i + 1]; e++)
        sum += g->val[e];
    return sum;
}

static void count_blocks(const struct mixtura_partition *p, struct partition_work *w)
{
    int64_t K = p->K;
    for (int64_t i = 0; i < p->n; i++) {
        int64_t r = p->labels[i];
        ends_of(p, &p->out, i, w->to);
        for (int64_t t = 0; t < K; t++)
            w->met[r * K + t] += w->to[t];
        double loop = p->loops ? p->loops[i] : 0.0;
        w->met[r * K + r] += loop;
        w->out[r] += degree(&p->out, i) + loop;
        w->in[r] += degree(p->directed ? &p->in : &p->out, i) + loop;
        w->size[r] += 1.0;
        for (int64_t q = 2 * i; p->kinds && q <= 2 * i + p->directed; q++)
            w->alike[r * p->kinds + p->kind[q]] += 1.0;
    }
}

static double objective_of(const struct mixtura_partition *p, const struct partition_work *w)
{
    int64_t K = p->K;
    double value = 0.0;
    for (int64_t r = 0; r < K; r++) {
        value += self_worth(p, w->met[r * K + r]) + block_worth(p, w->out[r], w->in[r], w->size[r]);
        for (int64_t s = p->directed ? 0 : r + 1; s < K; s++)
            if (s != r)
                value += pair_worth(p, w->met[r * K + s]);
        if (p->objective == DESCRIPTION_DEGREES)
            for (int64_t k = 0; k < p->kinds; k++)
                value += lgamma(w->alike[r * p->kinds + k] + 1.0);
    }
    return value;
}

/* Moves of single nodes until none gains; a block's last node stays. Returns 1 without memory. */
static int partition(struct mixtura_partition *p)
{
    int64_t K = p->K, numbers = K * K + 6 * K + K * p->kinds;
    double *memory = calloc((size_t)(numbers + K), 8);
    if (!memory)
        return 1;
    struct partition_work w = {.met = memory};
    w.out = w.met + K * K;
    w.in = w.out + K;
    w.size = w.in + K;
    w.to = w.size + K;
    w.from = w.to + K;
    w.worth = w.from + K;
    w.alike = w.worth + K;
    w.joined = (int64_t *)(memory + numbers);
    count_blocks(p, &w);
    for (int64_t r = 0; r < K; r++)
        told_worth(p, &w, r);
    p->value[0] = objective_of(p, &w);
    int64_t moved = 1;
    for (p->steps = 0; p->steps < p->max_iter && moved;) {
        moved = 0;
        for (int64_t a = 0; a < p->n; a++) {
            int64_t i = p->order[a], r = p->labels[i], best = r;
            if (w.size[r] < 2.0)
                continue;
            double loop = p->loops ? p->loops[i] : 0.0, most = LEAST_GAIN;
            ends_of(p, &p->out, i, w.to);
            /* Both rows and columns of an undirected table change by the same ends. */
            ends_of(p, p->directed ? &p->in : &p->out, i, w.from);
            double out = loop, in = loop;
            w.n_joined = 0;
            for (int64_t t = 0; t < K; t++) {
                out += w.to[t];
                in += w.from[t];
                if (w.to[t] != 0.0 || w.from[t] != 0.0)
                    w.joined[w.n_joined++] = t;
            }
            at_hand(p, &w, i, r, out, in);
            int64_t from, to;
            own_blocks(&p->sides, i, K, &from, &to);
            for (int64_t s = from; s < to; s++) {
                if (s == r)
                    continue;
                double gain = move_gain(p, &w, r, s, loop, out, in, i);
                if (gain > most) {
                    most = gain;
                    best = s;
                }
            }
            if (best != r) {
                move_node(p, &w, i, r, best, loop, out, in);
                moved++;
            }
        }
        p->value[++p->steps] = objective_of(p, &w);
    }
    p->unsettled = moved;
    memcpy(p->met, w.met, (size_t)(K * K) * 8);
    free(memory);
    return 0;
}

#endif
