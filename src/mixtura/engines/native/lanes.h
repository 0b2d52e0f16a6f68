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

/* Forward vectors are brought back to a size of 1 at every so many steps: moves that are not barred
 * leave them far above what is lost. */
#define RESCALED 4
#define LOG_TWO 0x1.62e42fefa39efp-1

/* A vector of each of K states. Of few they are an array of a length of its own, for only such are
 * kept in registers: one of K is memory, even where the compiler knows K. */
#define FEW 10
#define OF_STATES(name)                                                                        \
    vec name##_few[FEW], name##_many[K <= FEW ? 1 : K], *const name = K <= FEW ? name##_few : name##_many

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
    double *u;    /* K columns from place -VL on: forward vectors, each in a scale of its own */
    double *over; /* what the step into it took that scale by; of filtered states 1 / its sum */
    double *blocks;
    int64_t block;
    int keeps;
    double *a, *beta; /* K: the forward vector before the next block, the backward one behind */
    double *ended;    /* K: the forward vector before a piece begins */
    double *added;    /* K: how much of the forward one was added to keep it up */
    double *loglik;   /* VL: of the pieces that are on, but for scales */
    double *twos;     /* VL: their scales, in powers of two */
    double *met;      /* K x K x VL */
    /* Of each lane: its first row, steps, pieces from .. to; the piece that begins next, going
     * forward, and the one at hand, going back. */
    int64_t first[VL], length[VL], from[VL], to[VL], piece[VL], last[VL];
    int64_t longest; /* steps of the longest lane */
    int64_t due;     /* the next step, either way, at which a piece begins or ends */
    unsigned faint;
    double *enter, *leave; /* VL x K: laws before and behind each lane, where it cuts a sequence */
    double *exit;          /* VL x K: the law at the end of each lane, as the lane itself found it */
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

/* What lanes whose pieces begin at step t go on from, and what those are worth that ended with the
 * forward vectors `ended`; of `again` that is known. */
static void begin_pieces(struct chain_lanes *g, int64_t t, int again, const double *ended)
{
    const struct mixtura_stretches *s = g->asked;
    for (int l = 0; l < VL; l++) {
        int64_t p = g->piece[l];
        if (begin_of(g, l) != t)
            continue;
        double added = 0.0, sum = 0.0;
        for (int64_t k = 0; k < g->K; k++) {
            added += g->added[k * VL + l];
            sum += ended[k * VL + l];
        }
        if (p > g->from[l] && !again) {
            s->loglik[p - 1] = g->loglik[l] + g->twos[l] * LOG_TWO + log(sum);
            g->faint |= !(added < ADDED * sum) || !(sum > (g->barred ? BARRED_FAINT : FAINT));
        }
        for (int64_t k = 0; k < g->K && p == g->to[l]; k++)
            g->exit[l * g->K + k] = ended[k * VL + l] / sum;
        /* The law at a cut sums to one. */
        g->loglik[l] = g->twos[l] = 0.0;
        for (int64_t k = 0; k < g->K && p < g->to[l] && begins_sequence(s, p); k++) {
            g->a[k * VL + l] = s->initial[k];
            g->added[k * VL + l] = 0.0;
        }
        g->piece[l]++;
    }
    next_begin(g);
}

/* out = moves' in: out_j = sum_i in_i moves_ij. Unrolled where the compiler knows how far: else twice
 * over by two dozen would be most of the library. */
INLINE void lanes_moved(vec *out, const vec *in, const double *moves, const int64_t K)
{
    if (!__builtin_constant_p(K)) {
        for (int64_t j = 0; j < K; j++) {
            vec sum = in[0] * moves[j];
            for (int64_t i = 1; i < K; i++)
                sum += in[i] * moves[i * K + j];
            out[j] = sum;
        }
        return;
    }
    UNROLL
    for (int64_t j = 0; j < K; j++)
        out[j] = in[0] * moves[j];
    UNROLL
    for (int64_t i = 1; i < K; i++)
        UNROLL
        for (int64_t j = 0; j < K; j++)
            out[j] += in[i] * moves[i * K + j];
}

INLINE vec lanes_sum(const vec *a, const int64_t K)
{
    vec sum = a[0], other = splat(0.0);
    UNROLL
    for (int64_t k = 1; k < K; k++)
        *(k % 2 ? &other : &sum) += a[k];
    return sum + other;
}

/* The power of two that takes positive numbers to 1 .. 2, and the one that they are above, into
 * `twos`: nothing is rounded by it, and counting needs no logarithm. */
INLINE vec to_one(vec sum, vec *twos)
{
    ivec exponent = (ivec)sum & 0x7ff0000000000000LL;
    *twos = __builtin_convertvector((exponent >> 52) - 1023, vec);
    return (vec)(0x7fe0000000000000LL - exponent);
}

/* Asks for where states of step t, t of the block, go: of so many places memory foresees none. */
INLINE void fetch_states(const struct chain_lanes *g, int64_t t, const int64_t K)
{
    for (int l = 0; l < VL; l++)
        for (int64_t k = 0; k < K; k += 8)
            __builtin_prefetch(g->asked->posterior + (g->e.first[l] + t) * K + k, 1);
}

/* u and over of n steps from t0 on, and the log-likelihoods, unless these are known. */
INLINE void lanes_forward(struct chain_lanes *g, int64_t t0, int64_t n, int again, const int barred,
                          const int64_t K)
{
    const double *b = g->e.b, *top = g->e.top, *moves = g->moves;
    const int64_t stride = g->e.stride;
    const int filtered = !g->asked->back && g->asked->posterior, adding = barred && !again;
    const vec faint = splat(barred ? BARRED_FAINT : FAINT), nothing = splat(0.0);
    OF_STATES(a);
    OF_STATES(added);
    vec loglik = load(g->loglik), twos = load(g->twos);
    UNROLL
    for (int64_t k = 0; k < K; k++) {
        a[k] = load(g->a + k * VL);
        added[k] = barred ? load(g->added + k * VL) : nothing;
        store(g->u + k * stride - VL, a[k]);
    }
    for (int64_t t = 0; t < n; t++) {
        OF_STATES(ahead);
        OF_STATES(more);
        vec sum = nothing, scale = splat(1.0), by;
        int rescaled = barred || t % RESCALED == 0;
        lanes_moved(ahead, a, moves, K);
        if (rescaled) {
            sum = lanes_sum(a, K);
            g->faint |= not_below(faint, sum);
        }
        if (adding)
            lanes_moved(more, added, moves, K);
        UNROLL
        for (int64_t j = 0; j < K && adding; j++)
            more[j] += sum * g->raised[j];
        if (t0 + t == g->due) {
            UNROLL
            for (int64_t j = 0; j < K; j++) {
                store(g->a + j * VL, ahead[j]);
                store(g->ended + j * VL, a[j]);
                store(g->added + j * VL, adding ? more[j] : nothing);
            }
            store(g->loglik, loglik);
            store(g->twos, twos);
            begin_pieces(g, t0 + t, again, g->ended);
            loglik = load(g->loglik);
            twos = load(g->twos);
            UNROLL
            for (int64_t j = 0; j < K; j++) {
                ahead[j] = load(g->a + j * VL);
                more[j] = barred ? load(g->added + j * VL) : nothing;
            }
            sum = lanes_sum(ahead, K);
        }
        if (rescaled) {
            scale = to_one(sum, &by);
            twos += by;
        }
        if (!filtered)
            store(g->over + t * VL, scale);
        UNROLL
        for (int64_t j = 0; j < K; j++) {
            vec emitted = load(b + j * stride + t * VL);
            emitted = rescaled ? emitted * scale : emitted;
            a[j] = ahead[j] * emitted;
            if (barred) {
                vec least = pick((ivec)(ahead[j] > nothing), splat(LOST), nothing);
                added[j] = again ? nothing
                                 : more[j] * emitted + pick((ivec)(a[j] < least), least, nothing);
                a[j] = vmax(least, a[j]);
            }
            store(g->u + j * stride + t * VL, a[j]);
        }
        if (filtered) {
            fetch_states(g, t, K);
            sum = lanes_sum(a, K);
            store(g->over + t * VL, 1.0 / sum);
            if (adding)
                g->faint |= not_below(lanes_sum(added, K), sum * ADDED);
        }
        loglik += load(top + t * VL);
    }
    UNROLL
    for (int64_t k = 0; k < K; k++) {
        store(g->a + k * VL, a[k]);
        store(g->added + k * VL, barred ? added[k] : nothing);
    }
    store(g->loglik, loglik);
    store(g->twos, twos);
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
        double scale = 0.0, sum = 0.0;
        for (int64_t k = 0; k < K; k++) {
            double u = g->u[k * stride + i + l];
            sum += u;
            scale += u * (whole ? 1.0 : g->leave[l * K + k]);
        }
        for (int64_t k = 0; k < K; k++)
            g->beta[k * VL + l] = (whole ? 1.0 : g->leave[l * K + k]) / scale;
        g->faint |= !whole && !(scale > sum * (g->barred ? LOST_AT_CUT / ADDED : FAINT));
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

/* p: smoothed states; b: b_t beta_t, to be met with u of the step before, of a sequence's first
 * step 0. Backward vectors take the scales of forward ones, so that products of both sum to one. */
INLINE void lanes_backward(struct chain_lanes *g, int64_t t0, int64_t n, const int barred,
                           const int64_t K)
{
    const double *back = g->back;
    const int64_t stride = g->e.stride;
    const int even = g->e.even;
    OF_STATES(beta);
    UNROLL
    for (int64_t k = 0; k < K; k++)
        beta[k] = load(g->beta + k * VL);
    for (int64_t t = n - 1; t >= 0; t--) {
        int64_t i = t * VL;
        int event = t0 + t == g->due, rescaled = barred || t % RESCALED == 0;
        if (event) {
            UNROLL
            for (int64_t k = 0; k < K; k++)
                store(g->beta + k * VL, beta[k]);
            end_pieces(g, t0 + t, i);
            UNROLL
            for (int64_t k = 0; k < K; k++)
                beta[k] = load(g->beta + k * VL);
        }
        OF_STATES(w);
        vec over = load(g->over + i), times = load(g->e.times + i);
        UNROLL
        for (int64_t k = 0; k < K; k++) {
            double *b = g->e.b + k * stride + i;
            vec behind = rescaled ? beta[k] * over : beta[k];
            w[k] = load(b) * (barred ? -vmax(-behind, splat(-MOST)) : behind);
            store(g->e.p + k * stride + i, load(g->u + k * stride + i) * beta[k]);
            store(b, even ? w[k] : w[k] * times);
        }
        if (event)
            count_begun(g, t0 + t, i);
        if (g->asked->posterior)
            fetch_states(g, t, K);
        lanes_moved(beta, w, back, K);
    }
    UNROLL
    for (int64_t k = 0; k < K; k++)
        store(g->beta + k * VL, beta[k]);
}

#endif
