/* Forward and backward through VL stretches of hidden Markov chains, one in each lane.
 *
 * Scaled, not in logarithms (Rabiner 1989, Proc. IEEE 77, section V.A). A stretch is some pieces, and
 * a piece is a sequence or, where a lane begins or ends, part of one. All that happens at a step
 * happens to every lane; where pieces begin and end, lanes are looked at one by one. barred.h says
 * what is done about numbers that are lost.
 */
#ifndef MIXTURA_LANES_H
#define MIXTURA_LANES_H

#include "barred.h"
#include "emission.h"

/* The product of four sums above this, and of one above FAINT, is no small number yet. */
#define SMALL 1e-30

struct chain_lanes {
    const struct mixtura_stretches *asked;
    struct emission e;
    int64_t K;
    int barred;       /* some moves are */
    double *moves;    /* none that may be made below LOST_MOVE */
    double *back;     /* the same, transposed */
    double *raised;   /* K: what columns of moves were raised by, at most */
    /* Of the block at hand, in `blocks`, each of `block` numbers; all of them are there if it `keeps`
     * them. */
    double *b;    /* K columns */
    double *u;    /* K columns from place -VL on: forward vectors, not yet divided by their sums */
    double *over; /* 1 / those sums */
    double *blocks;
    int64_t block;
    int keeps;
    double *a, *beta; /* K: the forward vector before the next block, the backward one behind */
    double *added;    /* K: how much of the forward one was added to keep it up */
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
    double *room;          /* two K x K, lines padded */
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

/* Steps t0 .. t0 + n of every lane: their rows, and how often they were seen. */
static void lanes_rows(struct chain_lanes *g, int64_t t0, int64_t n)
{
    const struct mixtura_stretches *s = g->asked;
    struct emission *e = &g->e;
    int even = !s->weight;
    for (int l = 0; l < VL; l++) {
        e->first[l] = g->first[l] + t0;
        e->there[l] = at_least(LEAST(g->length[l] - t0, n), 0);
        even = even && e->there[l] == n;
    }
    for (int l = 0; l < VL && !(even && e->even); l++) {
        int64_t p = g->from[l];
        for (int64_t t = 0; t < (even ? e->steps : n); t++) {
            int there = even || t < e->there[l];
            while (s->weight && there && s->cuts[p + 1] <= e->first[l] + t)
                p++;
            e->times[t * VL + l] = !there ? 0.0 : s->weight ? s->weight[p] : 1.0;
        }
    }
    e->even = even;
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
        double added = 0.0;
        for (int64_t k = 0; k < g->K; k++)
            added += g->added[k * VL + l];
        if (p > g->from[l] && !again) {
            s->loglik[p - 1] = g->loglik[l];
            g->faint |= !(added < ADDED);
        }
        g->loglik[l] = 0.0;
        for (int64_t k = 0; k < g->K && p < g->to[l] && begins_sequence(s, p); k++) {
            g->a[k * VL + l] = s->initial[k];
            g->added[k * VL + l] = 0.0;
        }
        g->piece[l]++;
    }
    next_begin(g);
}

/* out = moves' in: out_j = sum_i in_i moves_ij. */
INLINE void lanes_moved(vec *out, const vec *in, const double *moves, const int64_t K)
{
    for (int64_t j = 0; j < K; j++)
        out[j] = in[0] * moves[j];
    for (int64_t i = 1; i < K; i++)
        for (int64_t j = 0; j < K; j++)
            out[j] += in[i] * moves[i * K + j];
}

/* u and over of n steps from t0 on, and the log-likelihoods, unless these are known. */
INLINE void lanes_forward(struct chain_lanes *g, int64_t t0, int64_t n, int again, const int barred,
                          const int64_t K)
{
    const double *b = g->e.b, *top = g->e.top, *moves = g->moves;
    const int64_t stride = g->e.stride;
    const vec faint = splat(barred ? BARRED_FAINT : FAINT), nothing = splat(0.0);
    vec a[K], added[K], over = splat(1.0), whole = over, product = over, loglik = load(g->loglik);
    for (int64_t k = 0; k < K; k++) {
        a[k] = load(g->a + k * VL);
        added[k] = barred ? load(g->added + k * VL) : nothing;
        store(g->u + k * stride - VL, a[k]);
    }
    for (int64_t t = 0; t < n; t++) {
        vec ahead[K], more[K], sum = nothing, sum_added = nothing;
        lanes_moved(ahead, a, moves, K);
        if (barred && !again)
            lanes_moved(more, added, moves, K);
        for (int64_t j = 0; j < K && barred && !again; j++)
            more[j] += whole * g->raised[j];
        if (t0 + t == g->due) {
            for (int64_t j = 0; j < K; j++) {
                store(g->a + j * VL, ahead[j] * over);
                store(g->added + j * VL, barred && !again ? more[j] * over : nothing);
            }
            store(g->loglik, loglik + log_pos(product));
            begin_pieces(g, t0 + t, again);
            loglik = load(g->loglik);
            product = splat(1.0);
            over = whole = splat(1.0);
            for (int64_t j = 0; j < K; j++) {
                ahead[j] = load(g->a + j * VL);
                more[j] = barred ? load(g->added + j * VL) : nothing;
            }
        }
        for (int64_t j = 0; j < K; j++) {
            vec emitted = load(b + j * stride + t * VL) * over;
            a[j] = ahead[j] * emitted;
            if (barred) {
                vec least = pick((ivec)(ahead[j] > nothing), splat(LOST), nothing);
                added[j] = again ? nothing
                                 : more[j] * emitted + pick((ivec)(a[j] < least), least, nothing);
                a[j] = vmax(least, a[j]);
                sum_added += added[j];
            }
            store(g->u + j * stride + t * VL, a[j]);
            sum += a[j];
        }
        g->faint |= not_below(faint, sum);
        if (barred && !again && !g->asked->back)
            g->faint |= not_below(sum_added, sum * ADDED);
        whole = sum;
        over = 1.0 / sum;
        store(g->over + t * VL, over);
        if (again)
            continue;
        /* One logarithm for a product of several sums. */
        if (t % 4 == 0 || not_below(splat(SMALL), sum)) {
            loglik += log_pos(product);
            product = splat(1.0);
        }
        product *= sum;
        loglik += load(top + t * VL);
    }
    for (int64_t k = 0; k < K; k++) {
        store(g->a + k * VL, a[k] * over);
        store(g->added + k * VL, barred ? added[k] * over : nothing);
    }
    store(g->loglik, loglik + log_pos(product));
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
        g->faint |= !whole && !(scale > (g->barred ? LOST_AT_CUT / ADDED : FAINT));
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
INLINE void lanes_backward(struct chain_lanes *g, int64_t t0, int64_t n, const int barred,
                           const int64_t K)
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
            vec behind = beta[k] * over;
            w[k] = load(b) * (barred ? -vmax(-behind, splat(-MOST)) : behind);
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

#endif
