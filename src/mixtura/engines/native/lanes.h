/* Forward and backward through VL stretches of hidden Markov chains, one in each lane.
 *
 * Scaled, not in logarithms (Rabiner 1989, Proc. IEEE 77, section V.A). A stretch is some pieces, and
 * a piece is a sequence or, where a lane begins or ends, part of one. All that happens at a step
 * happens to every lane; where pieces begin and end, lanes are looked at one by one.
 */
#ifndef MIXTURA_LANES_H
#define MIXTURA_LANES_H

#include "emission.h"

/* Below this sum scaled numbers say nothing, and the caller asks in logarithms. */
#define FAINT 1e-200

struct chain_lanes {
    const struct mixtura_stretches *asked;
    struct emission e;
    int64_t K, steps; /* of a block */
    double *back;     /* moves, transposed */
    double *u; /* K columns from place -VL on: forward vectors, not yet divided by their sums */
    double *over;  /* 1 / those sums */
    double *a, *beta; /* K: the forward vector before the next block, the backward one behind */
    double *loglik;   /* VL: of the pieces that are on */
    double *met;      /* K x K x VL */
    /* Of each lane: its first row, steps, pieces from .. to; the piece that begins next, going
     * forward, and the one at hand, going back. */
    int64_t first[VL], length[VL], from[VL], to[VL], piece[VL], last[VL];
    int64_t longest; /* steps of the longest lane */
    int64_t due;     /* the next step, either way, at which a piece begins or ends */
    unsigned faint;
    double *enter, *leave; /* VL x K: laws before and behind each lane, where it cuts a sequence */
    double *kept;          /* K x VL of each block: the forward vector before it */
    int64_t *kept_piece;   /* VL of each block */
    double *room;          /* 2 K x K */
    void *memory;
};

static int begins_sequence(const struct mixtura_stretches *s, int64_t p)
{
    return s->cuts[p] == s->begins[p];
}

static int ends_sequence(const struct mixtura_stretches *s, int64_t p)
{
    return s->cuts[p + 1] == s->ends[p];
}

/* Rows and weights of steps t0 .. t0 + n of every lane. */
static void lanes_rows(struct chain_lanes *g, int64_t t0, int64_t n)
{
    const struct mixtura_stretches *s = g->asked;
    for (int l = 0; l < VL; l++) {
        int64_t p = g->from[l];
        for (int64_t t = 0; t < n; t++) {
            int64_t row = g->first[l] + t0 + t, i = t * VL + l;
            int there = t0 + t < g->length[l];
            while (s->weight && there && s->cuts[p + 1] <= row)
                p++;
            g->e.row[i] = there ? row : -1;
            g->e.times[i] = !there ? 0.0 : s->weight ? s->weight[p] : 1.0;
        }
    }
}

/* The step at which the piece at hand begins in a lane; that behind the last is the lane's end. */
static int64_t begin_of(const struct chain_lanes *g, int l)
{
    return g->piece[l] > g->to[l] ? INT64_MAX : g->asked->cuts[g->piece[l]] - g->first[l];
}

static void next_begin(struct chain_lanes *g)
{
    g->due = INT64_MAX;
    for (int l = 0; l < VL; l++)
        g->due = LEAST(g->due, begin_of(g, l));
}

/* What lanes whose pieces begin at step t go on from. */
static void begin_pieces(struct chain_lanes *g, int64_t t, int again)
{
    const struct mixtura_stretches *s = g->asked;
    for (int l = 0; l < VL; l++) {
        int64_t p = g->piece[l];
        if (begin_of(g, l) != t)
            continue;
        if (p > g->from[l] && !again)
            s->loglik[p - 1] = g->loglik[l];
        g->loglik[l] = 0.0;
        if (p < g->to[l] && begins_sequence(s, p))
            for (int64_t k = 0; k < g->K; k++)
                g->a[k * VL + l] = s->initial[k];
        g->piece[l]++;
    }
    next_begin(g);
}

/* u and over of n steps from t0 on, and the log-likelihoods, unless these are known. */
INLINE void lanes_forward(struct chain_lanes *g, int64_t t0, int64_t n, int again, const int64_t K)
{
    const double *move = g->asked->moves, *b = g->e.b, *top = g->e.top;
    const int64_t stride = g->e.stride;
    vec a[K], over = splat(1.0), loglik = load(g->loglik);
    for (int64_t k = 0; k < K; k++) {
        a[k] = load(g->a + k * VL);
        store(g->u + k * stride - VL, a[k]);
    }
    for (int64_t t = 0; t < n; t++) {
        vec ahead[K], sum = splat(0.0);
        for (int64_t j = 0; j < K; j++)
            ahead[j] = a[0] * move[j];
        for (int64_t i = 1; i < K; i++)
            for (int64_t j = 0; j < K; j++)
                ahead[j] += a[i] * move[i * K + j];
        if (t0 + t == g->due) {
            for (int64_t j = 0; j < K; j++)
                store(g->a + j * VL, ahead[j] * over);
            store(g->loglik, loglik);
            begin_pieces(g, t0 + t, again);
            loglik = load(g->loglik);
            over = splat(1.0);
            for (int64_t j = 0; j < K; j++)
                ahead[j] = load(g->a + j * VL);
        }
        for (int64_t j = 0; j < K; j++) {
            a[j] = ahead[j] * (load(b + j * stride + t * VL) * over);
            store(g->u + j * stride + t * VL, a[j]);
            sum += a[j];
        }
        g->faint |= not_below(splat(FAINT), sum);
        over = 1.0 / sum;
        store(g->over + t * VL, over);
        if (!again)
            loglik += log_pos(sum) + load(top + t * VL);
    }
    for (int64_t k = 0; k < K; k++)
        store(g->a + k * VL, a[k] * over);
    store(g->loglik, loglik);
}

/* Going back: the last step up to t at which the piece at hand ends or begins in some lane. */
static void next_end(struct chain_lanes *g, int64_t t)
{
    const struct mixtura_stretches *s = g->asked;
    g->due = -1;
    for (int l = 0; l < VL; l++)
        for (int64_t p = g->last[l]; p >= g->from[l]; p = -1) {
            int64_t end = s->cuts[p + 1] - 1 - g->first[l];
            g->due = at_least(g->due, end <= t ? end : s->cuts[p] - g->first[l]);
        }
}

/* Backward vectors of lanes whose pieces end at step t, i in the block. */
static void end_pieces(struct chain_lanes *g, int64_t t, int64_t i)
{
    const struct mixtura_stretches *s = g->asked;
    int64_t K = g->K, stride = g->e.stride;
    for (int l = 0; l < VL; l++) {
        int64_t p = g->last[l];
        if (p < g->from[l] || s->cuts[p + 1] - 1 - g->first[l] != t)
            continue;
        int whole = ends_sequence(s, p);
        double scale = 0.0;
        for (int64_t k = 0; k < K && !whole; k++)
            scale += g->u[k * stride + i + l] * g->over[i + l] * g->leave[l * K + k];
        for (int64_t k = 0; k < K; k++)
            g->beta[k * VL + l] = whole ? 1.0 : g->leave[l * K + k] / scale;
    }
}

/* First states of pieces that begin at step t, i in the block, and no move into them. */
static void count_begun(struct chain_lanes *g, int64_t t, int64_t i)
{
    const struct mixtura_stretches *s = g->asked;
    int64_t K = g->K, stride = g->e.stride;
    for (int l = 0; l < VL; l++) {
        int64_t p = g->last[l];
        if (p < g->from[l] || s->cuts[p] - g->first[l] != t)
            continue;
        g->last[l]--;
        for (int64_t k = 0; k < K && begins_sequence(s, p); k++) {
            s->starts[k] += g->e.times[i + l] * g->e.p[k * stride + i + l];
            g->e.b[k * stride + i + l] = 0.0;
        }
    }
    next_end(g, t - 1);
}

/* p: smoothed states; u: filtered ones; b: b_t beta_t / c_t, of a sequence's first step 0. */
INLINE void lanes_backward(struct chain_lanes *g, int64_t t0, int64_t n, const int64_t K)
{
    const double *back = g->back;
    const int64_t stride = g->e.stride;
    vec beta[K];
    for (int64_t k = 0; k < K; k++)
        beta[k] = load(g->beta + k * VL);
    for (int64_t t = n - 1; t >= 0; t--) {
        int64_t i = t * VL;
        int event = t0 + t == g->due;
        if (event) {
            for (int64_t k = 0; k < K; k++)
                store(g->beta + k * VL, beta[k]);
            end_pieces(g, t0 + t, i);
            for (int64_t k = 0; k < K; k++)
                beta[k] = load(g->beta + k * VL);
        }
        vec w[K], over = load(g->over + i), times = load(g->e.times + i);
        for (int64_t k = 0; k < K; k++) {
            double *u = g->u + k * stride + i, *b = g->e.b + k * stride + i;
            vec here = load(u) * over;
            w[k] = load(b) * (beta[k] * over);
            store(u, here);
            store(g->e.p + k * stride + i, here * beta[k]);
            store(b, w[k] * times);
        }
        if (event)
            count_begun(g, t0 + t, i);
        for (int64_t k = 0; k < K; k++)
            beta[k] = w[0] * back[k];
        for (int64_t j = 1; j < K; j++)
            for (int64_t k = 0; k < K; k++)
                beta[k] += w[j] * back[j * K + k];
    }
    for (int64_t k = 0; k < K; k++)
        store(g->beta + k * VL, beta[k]);
}

/* Moves from state i to `many` states from j on, over n steps. */
INLINE void met_some(struct chain_lanes *g, int64_t n, int64_t i, int64_t j, const int many)
{
    const int64_t stride = g->e.stride;
    const double *u = g->u + i * stride - VL, *w = g->e.b + j * stride;
    double *met = g->met + (i * g->K + j) * VL;
    vec sum[many];
    for (int m = 0; m < many; m++)
        sum[m] = load(met + m * VL);
    for (int64_t t = 0; t < n * VL; t += VL) {
        vec from = load(u + t);
        for (int m = 0; m < many; m++)
            sum[m] += from * load(w + m * stride + t);
    }
    for (int m = 0; m < many; m++)
        store(met + m * VL, sum[m]);
}

static void lanes_met(struct chain_lanes *g, int64_t n)
{
    for (int64_t i = 0; i < g->K; i++)
        for (int64_t j = 0; j < g->K; j += 8)
            switch (LEAST(g->K - j, 8)) {
#define MET(many) \
    case many: met_some(g, n, i, j, many); break;
                MET(1)
                MET(2)
                MET(3)
                MET(4)
                MET(5)
                MET(6)
                MET(7)
                MET(8)
#undef MET
            }
}

#endif
