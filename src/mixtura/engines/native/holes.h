/* The degree-corrected block model where pairs are missing: x_ij ~ Poisson(rate_i rate_j omega_rs) over
 * the pairs that were looked at (Karrer & Newman 2011).
 *
 * Given rates, omega_rs = m_rs / S_rs, ends of edges between blocks over the sum of rate_i rate_j of
 * their observed pairs, so a node's move is judged at the best omega; given omega, each rate has a
 * closed form. Steps of both kinds in turn never lower the likelihood. Tables are of ends: in
 * undirected networks pairs count in both orders, and a loop's mean is half of rate_i^2 omega_rr. */
#ifndef MIXTURA_HOLES_H
#define MIXTURA_HOLES_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

struct holes_work {
    double *out_total, *in_total;     /* K: rates by block */
    double *to, *from, *ahead, *behind; /* K: a node's ends, and rates of its pairs, by block */
    double *size, *scale;
};

static double cell_worth(double met, double among)
{
    return met > 0.5 ? met * log(met / fmax(among, 1e-300)) : 0.0;
}

static int self_seen(const struct mixtura_holes *h, int64_t i) { return h->loops && h->loops[i] == h->loops[i]; }

static double ends_of_loop(const struct mixtura_holes *h, int64_t i) { return self_seen(h, i) ? h->loops[i] : 0.0; }

/* Ends of node i by block, and rates of the nodes with which it is an observed pair. */
static void hole_sums(const struct mixtura_holes *h, const struct mixtura_graph *edges,
                      const struct mixtura_graph *listed, const double *rate, const double *total, int64_t i,
                      double *ends, double *pairs)
{
    int64_t K = h->K, from, to;
    memset(ends, 0, (size_t)K * 8);
    memset(pairs, 0, (size_t)K * 8);
    for (int64_t e = edges->ptr[i]; e < edges->ptr[i + 1]; e++)
        ends[h->labels[edges->idx[e]]] += edges->val ? edges->val[e] : 1.0;
    if (listed->ptr)
        for (int64_t e = listed->ptr[i]; e < listed->ptr[i + 1]; e++)
            pairs[h->labels[listed->idx[e]]] += rate[listed->idx[e]];
    if (h->complete) {
        for (int64_t l = 0; l < K; l++)
            pairs[l] = total[l] - pairs[l];
        pairs[h->labels[i]] -= rate[i];
    }
    if (h->sides.nodes) {
        own_blocks(&h->sides, i, K, &from, &to);
        memset(pairs + from, 0, (size_t)(to - from) * 8);
    }
}

static void node_at_hand(const struct mixtura_holes *h, struct holes_work *w, int64_t i)
{
    hole_sums(h, &h->out, &h->listed_out, h->in_rate, w->in_total, i, w->to, w->ahead);
    if (h->directed)
        hole_sums(h, &h->in, &h->listed_in, h->out_rate, w->out_total, i, w->from, w->behind);
    else {
        memcpy(w->from, w->to, (size_t)h->K * 8);
        memcpy(w->behind, w->ahead, (size_t)h->K * 8);
    }
}

/* Rates by block, both tables, and the log-likelihood but for what hangs on no parameter. */
static double hole_tables(const struct mixtura_holes *h, struct holes_work *w)
{
    int64_t K = h->K;
    double half = h->directed ? 1.0 : 0.5, value = 0.0;
    memset(w->out_total, 0, (size_t)K * 8);
    memset(w->in_total, 0, (size_t)K * 8);
    memset(w->size, 0, (size_t)K * 8);
    memset(h->met, 0, (size_t)(K * K) * 8);
    memset(h->among, 0, (size_t)(K * K) * 8);
    for (int64_t i = 0; i < h->n; i++) {
        w->out_total[h->labels[i]] += h->out_rate[i];
        w->in_total[h->labels[i]] += h->in_rate[i];
        w->size[h->labels[i]] += 1.0;
    }
    for (int64_t i = 0; i < h->n; i++) {
        int64_t r = h->labels[i];
        double loop = ends_of_loop(h, i), out = loop, in = loop;
        node_at_hand(h, w, i);
        for (int64_t l = 0; l < K; l++) {
            h->met[r * K + l] += w->to[l];
            h->among[r * K + l] += h->out_rate[i] * w->ahead[l];
            out += w->to[l];
            in += w->from[l];
        }
        h->met[r * K + r] += loop;
        if (self_seen(h, i))
            h->among[r * K + r] += h->out_rate[i] * h->in_rate[i];
        if (out > 0.0)
            value += out * log(h->out_rate[i]);
        if (h->directed && in > 0.0)
            value += in * log(h->in_rate[i]);
    }
    for (int64_t q = 0; q < K * K; q++)
        value += half * (cell_worth(h->met[q], h->among[q]) - h->met[q]);
    return value;
}

/* The change of a cell's worth where so many ends and rates come to it; kept where `commit`. */
static double cell_gain(const struct mixtura_holes *h, int64_t r, int64_t s, double ends, double rates, int commit)
{
    double *met = h->met + r * h->K + s, *among = h->among + r * h->K + s;
    if (ends == 0.0 && rates == 0.0)
        return 0.0;
    if (commit) {
        *met += ends;
        *among += rates;
        return 0.0;
    }
    return cell_worth(*met + ends, *among + rates) - cell_worth(*met, *among);
}

/* What the likelihood gains at the best omega where node i goes from r to s with its rates. */
static double hole_move(const struct mixtura_holes *h, const struct holes_work *w, int64_t i, int64_t r,
                        int64_t s, int commit)
{
    const double *o = w->to, *f = w->from, *a = w->ahead, *b = w->behind;
    double u = h->out_rate[i], v = h->in_rate[i], loop = ends_of_loop(h, i), gain = 0.0;
    double self = self_seen(h, i) ? u * v : 0.0;
    for (int64_t t = 0; t < h->K; t++) {
        if (t == r || t == s)
            continue;
        gain += cell_gain(h, r, t, -o[t], -u * a[t], commit) + cell_gain(h, s, t, o[t], u * a[t], commit);
        gain += cell_gain(h, t, r, -f[t], -v * b[t], commit) + cell_gain(h, t, s, f[t], v * b[t], commit);
    }
    gain += cell_gain(h, r, r, -o[r] - f[r] - loop, -u * a[r] - v * b[r] - self, commit);
    gain += cell_gain(h, s, s, o[s] + f[s] + loop, u * a[s] + v * b[s] + self, commit);
    gain += cell_gain(h, r, s, f[r] - o[s], v * b[r] - u * a[s], commit);
    gain += cell_gain(h, s, r, o[r] - f[s], u * a[r] - v * b[s], commit);
    return gain * (h->directed ? 1.0 : 0.5);
}

/* Each node to its best block; how many went. A block's last node stays. */
static int64_t hole_moves(const struct mixtura_holes *h, struct holes_work *w)
{
    int64_t K = h->K, moved = 0, from, to;
    for (int64_t at = 0; at < h->n; at++) {
        int64_t i = h->order[at], r = h->labels[i], best = r;
        double most = 1e-9;
        if (w->size[r] < 2.0)
            continue;
        node_at_hand(h, w, i);
        own_blocks(&h->sides, i, K, &from, &to);
        for (int64_t s = from; s < to; s++) {
            double gain = s == r ? 0.0 : hole_move(h, w, i, r, s, 0);
            if (gain > most) {
                most = gain;
                best = s;
            }
        }
        if (best == r)
            continue;
        hole_move(h, w, i, r, best, 1);
        w->size[r] -= 1.0;
        w->size[best] += 1.0;
        w->out_total[r] -= h->out_rate[i];
        w->out_total[best] += h->out_rate[i];
        w->in_total[r] -= h->in_rate[i];
        w->in_total[best] += h->in_rate[i];
        h->labels[i] = (int32_t)best;
        moved++;
    }
    return moved;
}

static double omega(const struct mixtura_holes *h, int64_t r, int64_t s)
{
    double met = h->met[r * h->K + s];
    return met > 0.5 ? met / fmax(h->among[r * h->K + s], 1e-300) : 0.0;
}

/* The best rates of each node, the others and omega held. */
static void hole_rates(const struct mixtura_holes *h, struct holes_work *w)
{
    int64_t K = h->K;
    for (int64_t at = 0; at < h->n; at++) {
        int64_t i = h->order[at], r = h->labels[i];
        double out = ends_of_loop(h, i), in = out, ahead = 0.0, behind = 0.0;
        double own = self_seen(h, i) ? omega(h, r, r) : 0.0, u = h->out_rate[i], v = h->in_rate[i];
        node_at_hand(h, w, i);
        for (int64_t l = 0; l < K; l++) {
            out += w->to[l];
            in += w->from[l];
            ahead += omega(h, r, l) * w->ahead[l];
            behind += omega(h, l, r) * w->behind[l];
        }
        if (!h->directed)
            u = v = out > 0.0 ? 2.0 * out / (ahead + sqrt(ahead * ahead + 4.0 * own * out)) : 0.0;
        else {
            u = out > 0.0 ? out / (ahead + own * v) : 0.0;
            v = in > 0.0 ? in / (behind + own * u) : 0.0;
        }
        w->out_total[r] += u - h->out_rate[i];
        w->in_total[r] += v - h->in_rate[i];
        h->out_rate[i] = u;
        h->in_rate[i] = v;
    }
}

/* Rates as the degrees that all pairs together would give: what blocks share is one unit, so that
 * nodes keep theirs on a move. The likelihood does not change. */
static void hole_units(const struct mixtura_holes *h, struct holes_work *w)
{
    int64_t K = h->K;
    for (int64_t side = 0; side <= h->directed; side++) {
        double *rate = side ? h->in_rate : h->out_rate;
        const double *other = side ? w->out_total : w->in_total;
        for (int64_t r = 0; r < K; r++) {
            w->scale[r] = 0.0;
            for (int64_t s = 0; s < K; s++)
                w->scale[r] += (side ? omega(h, s, r) : omega(h, r, s)) * other[s];
        }
        for (int64_t i = 0; i < h->n; i++)
            if (w->scale[h->labels[i]] > 0.0)
                rate[i] *= w->scale[h->labels[i]];
    }
}

/* Until no node moves and less than tol is gained. Returns 1 without memory, 2 where it fell. */
static int holes(struct mixtura_holes *h)
{
    int64_t K = h->K;
    double *memory = malloc((size_t)(8 * K) * 8);
    if (!memory)
        return 1;
    struct holes_work w = {.out_total = memory};
    double **parts[] = {&w.in_total, &w.to, &w.from, &w.ahead, &w.behind, &w.size, &w.scale};
    for (int64_t q = 0; q < 7; q++)
        *parts[q] = memory + (q + 1) * K;
    double value = hole_tables(h, &w), gain = HUGE_VAL;
    h->trace[0] = value;
    h->unsettled = 1;
    int status = 0;
    for (h->steps = 0; h->steps < h->max_iter && h->unsettled;) {
        int64_t moved = hole_moves(h, &w);
        hole_rates(h, &w);
        hole_units(h, &w);
        double now = hole_tables(h, &w), last = gain;
        h->trace[++h->steps] = now;
        gain = now - value;
        value = now;
        if (gain < -1e-9 * (1.0 + fabs(now))) {
            status = 2;
            break;
        }
        /* Gains shrink by a steady factor near the end (Aitken). */
        double rate = last > 0.0 && last < HUGE_VAL ? fmin(fmax(gain, 0.0) / last, 0.999) : 0.999;
        h->unsettled = moved || gain * fmax(rate, 0.5) / (1.0 - rate) > h->tol;
    }
    free(memory);
    return status;
}

#endif
