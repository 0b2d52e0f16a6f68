/* The pass over stretches of hidden Markov chains: VL of them side by side, block by block.
 *
 * Forward over all blocks, of which only the vectors before each are kept; then block by block from the
 * last to the first emissions and forward vectors once more, backward, and the sums, while all lies
 * in the cache.
 */
#ifndef MIXTURA_STRETCHES_H
#define MIXTURA_STRETCHES_H

#include "bounds.h"
#include "met.h"

/* So many emissions and forward vectors are kept from one run to the other. */
#define KEPT (9 << 17)

/* Where emissions and forward vectors of a block are. */
static void at_block(struct chain_lanes *g, int64_t block)
{
    int64_t columns = g->K * g->e.stride;
    g->u = g->blocks + (g->keeps ? block : 0) * g->block + VL;
    g->b = g->u + columns;
    g->over = g->b + columns;
}

/* Room for lanes of at most `most` steps; non-zero where memory ran out. */
static int lanes_open(struct chain_lanes *g, const struct mixtura_stretches *s, int64_t most,
                      int logarithms)
{
    memset(g, 0, sizeof *g);
    g->asked = s;
    g->K = s->K;
    if (emission_open(&g->e, s->emission, s->K, logarithms))
        return 1;
    int64_t K = s->K, stride = g->e.stride, blocks = most / g->e.steps + 1;
    /* They are worth keeping while they stay near. */
    g->block = (2 * K + 1) * stride + VL;
    g->keeps = s->back && blocks * g->block <= KEPT;
    int64_t numbers = 2 * K * K + K + 2 * K * (K + VL) + 7 * K * VL + 2 * VL + K * K * VL +
                      blocks * (K + 1) * VL + (g->keeps ? blocks : 1) * g->block;
    double *at = malloc((size_t)numbers * sizeof *at);
    g->memory = at;
    if (!at)
        return 1;
    g->moves = at;
    g->back = at + K * K;
    g->raised = g->back + K * K;
    g->room = g->raised + K;
    g->a = g->room + 2 * K * (K + VL);
    g->added = g->a + K * VL;
    g->beta = g->added + K * VL;
    g->ended = g->beta + K * VL;
    g->enter = g->ended + K * VL;
    g->leave = g->enter + K * VL;
    g->exit = g->leave + K * VL;
    g->loglik = g->exit + K * VL;
    g->twos = g->loglik + VL;
    g->met = g->twos + VL;
    g->kept = g->met + K * K * VL;
    g->kept_piece = (int64_t *)(void *)(g->kept + blocks * K * VL);
    g->blocks = g->kept + blocks * (K + 1) * VL;
    /* Of megabytes that are all written to none is written to before. */
    memset(at, 0, (size_t)(g->blocks - at) * sizeof *at);
    at_block(g, 0);
    g->barred = raised_moves(s->moves, g->moves, g->back, g->raised, K);
    return 0;
}

static int64_t lane_steps(const struct mixtura_stretches *s, int64_t lane)
{
    return lane < s->lanes ? s->cuts[s->pieces[lane + 1]] - s->cuts[s->pieces[lane]] : 0;
}

/* Which pieces the lanes from `lane` on have; returns the steps of the longest. */
static int64_t lanes_placed(struct chain_lanes *g, int64_t lane)
{
    const struct mixtura_stretches *s = g->asked;
    int64_t longest = 0;
    for (int l = 0; l < VL; l++) {
        int64_t last = LEAST(lane + l, s->lanes);
        g->from[l] = s->pieces[last];
        g->to[l] = s->pieces[LEAST(last + 1, s->lanes)];
        g->first[l] = s->cuts[g->from[l]];
        g->length[l] = lane_steps(s, lane + l);
        g->piece[l] = g->length[l] ? g->from[l] : g->to[l] + 1;
        g->last[l] = g->to[l] - 1;
        longest = at_least(longest, g->length[l]);
    }
    return longest;
}

/* The same with the laws at their ends; -1 where nothing tells one. */
INLINE int64_t lanes_begin(struct chain_lanes *g, int64_t lane, const int64_t K)
{
    const struct mixtura_stretches *s = g->asked;
    int64_t longest = lanes_placed(g, lane);
    for (int l = 0; l < VL; l++) {
        double *enter = g->enter + l * K, *leave = g->leave + l * K;
        for (int64_t k = 0; k < K; k++)
            enter[k] = leave[k] = 1.0 / (double)K;
        if (!g->length[l])
            continue;
        if (!begins_sequence(s, g->from[l]) && law_at(g, g->from[l], 0, enter, K))
            return -1;
        if (s->back && !ends_sequence(s, g->last[l]) && law_at(g, g->last[l], 1, leave, K))
            return -1;
    }
    for (int l = 0; l < VL; l++)
        for (int64_t k = 0; k < K; k++) {
            double law = g->enter[l * K + k];
            int lost = g->barred && !(law > LOST_AT_CUT);
            g->a[k * VL + l] = lost ? LOST_AT_CUT : law;
            g->added[k * VL + l] = lost ? LOST_AT_CUT : 0.0;
            g->beta[k * VL + l] = 1.0;
        }
    return longest;
}

INLINE void block_forward(struct chain_lanes *g, int64_t block, int64_t n, int again, const int64_t K)
{
    struct emission *e = &g->e;
    int64_t t0 = block * e->steps;
    int stored = e->w.stored;
    lanes_rows(g, t0, n);
    at_block(g, block);
    e->b = g->b;
    if (again && g->keeps) {
        if (e->asked->model && g->asked->met)
            gaussian_steps(e, n, 0);
        return;
    }
    /* Whitened rows are for the sums, which follow at once if at all. */
    e->w.stored = stored && !g->keeps && g->asked->met && (again || t0 + n == g->longest);
    emitted(e, n, 0, K);
    e->w.stored = stored && !g->keeps;
    if (g->barred)
        lanes_forward(g, t0, n, again, 1, K);
    else
        lanes_forward(g, t0, n, again, 0, K);
}

/* One pack of VL lanes from `lane` on; 0, or the other road. */
INLINE int lanes_pass(struct chain_lanes *g, int64_t lane, const int64_t K)
{
    const struct mixtura_stretches *s = g->asked;
    int64_t T = g->longest = lanes_begin(g, lane, K), steps = g->e.steps, blocks = (T + steps - 1) / steps;
    if (T < 0)
        return ROAD_NO_LAW;
    next_begin(g);
    for (int64_t block = 0; block < blocks; block++) {
        int64_t n = LEAST(steps, T - block * steps);
        memcpy(g->kept + block * K * VL, g->a, (size_t)(K * VL) * 8);
        memcpy(g->kept_piece + block * VL, g->piece, sizeof g->piece);
        block_forward(g, block, n, 0, K);
        if (g->faint)
            return ROAD_RUN_OUT;
        if (!s->back && s->posterior)
            put_states(&g->e, g->u, g->over, s->posterior, n, K);
    }
    begin_pieces(g, T, 0, g->a);
    if (g->faint)
        return ROAD_RUN_OUT;
    for (int64_t block = s->back ? blocks - 1 : -1; block >= 0; block--) {
        int64_t t0 = block * steps, n = LEAST(steps, T - t0);
        if (block < blocks - 1) {
            memcpy(g->a, g->kept + block * K * VL, (size_t)(K * VL) * 8);
            memcpy(g->piece, g->kept_piece + block * VL, sizeof g->piece);
            next_begin(g);
            block_forward(g, block, n, 1, K);
        }
        next_end(g, t0 + n - 1);
        if (g->barred)
            lanes_backward(g, t0, n, 1, K);
        else
            lanes_backward(g, t0, n, 0, K);
        if (s->posterior)
            put_states(&g->e, g->e.p, 0, s->posterior, n, K);
        if (s->met) {
            lanes_met(g, n);
            collect(&g->e, n);
        }
    }
    return g->faint ? ROAD_RUN_OUT : 0;
}

INLINE int stretches_of(struct chain_lanes *g, const int64_t K)
{
    int road = 0;
    for (int64_t lane = 0; lane < g->asked->lanes && !road; lane += VL)
        road = lanes_pass(g, lane, K);
    return road;
}

/* Loops of a length that the compiler knows are several times as fast. */
#define SIZED_OF(size, function, of) \
    case size: return function(of, size);
#define SIZED(K, function, of)                                                                 \
    switch (K) {                                                                               \
        SIZED_OF(2, function, of)                                                              \
        SIZED_OF(3, function, of)                                                              \
        SIZED_OF(4, function, of)                                                              \
        SIZED_OF(5, function, of)                                                              \
        SIZED_OF(6, function, of)                                                              \
        SIZED_OF(7, function, of)                                                              \
        SIZED_OF(8, function, of)                                                              \
        SIZED_OF(10, function, of)                                                             \
    default: return function(of, K);                                                           \
    }

static int stretches_sized(struct chain_lanes *g)
{
    SIZED(g->K, stretches_of, g)
}

static int stretches(struct mixtura_stretches *s)
{
    struct chain_lanes g;
    int64_t most = 0;
    for (int64_t lane = 0; lane < s->lanes; lane++)
        most = at_least(most, lane_steps(s, lane));
    int failed = lanes_open(&g, s, most, 0);
    if (!failed) {
        s->another_road = stretches_sized(&g);
        for (int64_t i = 0; i < s->K * s->K && s->met; i++)
            s->met[i] = s->moves[i] * sum_lanes(load(g.met + i * VL));
        emission_finish(&g.e);
    }
    emission_close(&g.e);
    free(g.memory);
    return failed;
}

#endif
