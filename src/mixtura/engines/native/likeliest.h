/* The likeliest paths (Viterbi 1967) of sequences, VL stretches side by side.
 *
 * In logarithms, for sums and maxima cost no exponentials. Among equals the first state is taken.
 * What the best paths are worth at each step is kept, for a part of the lanes at a time; where one of
 * them came from is looked for only on the way back, from a guess in each lane. Packs go from the last
 * to the first, so that what follows a lane puts its guess right, up to where both paths meet; but of
 * the last lane of a call, of which the paths from all states are told.
 */
#ifndef MIXTURA_LIKELIEST_H
#define MIXTURA_LIKELIEST_H

#include "best_before.h"

/* So many steps of lanes, at most, have what their best paths are worth kept at a time. Lanes that
 * are cut within a sequence are no longer. */
#define TRAIL (1 << 13)

struct best_paths {
    struct chain_lanes g;
    struct mixtura_stretches *asked;
    double *move, *initial; /* logarithms; lines of move have room for whole vectors */
    double *best;           /* K x VL */
    double *trail;          /* TRAIL steps, at most, x K x VL: the same before the move into each */
    double *before;         /* K x VL of each part of TRAIL steps: the same before it */
    int64_t *before_piece;  /* VL of each */
};

/* Lanes whose pieces begin at step t; what best paths that end before it were worth is noted. */
static void begin_paths(struct best_paths *b, int64_t t)
{
    struct chain_lanes *g = &b->g;
    const struct mixtura_stretches *s = g->asked;
    for (int l = 0; l < VL; l++) {
        int64_t p = g->piece[l];
        if (begin_of(g, l) != t)
            continue;
        for (int64_t k = 0; k < g->K; k++) {
            if (p > g->from[l])
                s->final[(p - 1) * g->K + k] = b->best[k * VL + l];
            if (p < g->to[l] && begins_sequence(s, p))
                g->a[k * VL + l] = b->initial[k];
        }
        g->piece[l]++;
    }
    next_begin(g);
}

/* n steps from t0 on, and the trail of what the best paths are worth before each. */
INLINE void best_steps(struct best_paths *p, int64_t t0, int64_t n, double *trail, const int64_t K)
{
    struct chain_lanes *g = &p->g;
    const double *move = p->move, *b = g->e.b;
    const int64_t Kp = ROUND_UP(K, VL);
    OF_STATES(best);
    for (int64_t k = 0; k < K; k++)
        best[k] = load(p->best + k * VL);
    for (int64_t t = 0; t < n; t++) {
        OF_STATES(next);
        UNROLL
        for (int64_t j = 0; j < K; j++) {
            vec most = best[0] + move[j];
            UNROLL
            for (int64_t i = 1; i < K; i++)
                most = vmax(most, best[i] + move[i * Kp + j]);
            next[j] = most;
        }
        UNROLL
        for (int64_t k = 0; k < K; k++)
            store(trail + (t * K + k) * VL, best[k]);
        if (t0 + t == g->due) {
            for (int64_t k = 0; k < K; k++) {
                store(p->best + k * VL, best[k]);
                store(g->a + k * VL, next[k]);
            }
            begin_paths(p, t0 + t);
            for (int64_t k = 0; k < K; k++)
                next[k] = load(g->a + k * VL);
        }
        for (int64_t k = 0; k < K; k++)
            /* What is no number is no density. */
            best[k] = next[k] + vmax(load(b + k * g->e.stride + t * VL), splat(-INFINITY));
    }
    for (int64_t k = 0; k < K; k++)
        store(p->best + k * VL, best[k]);
}

/* All steps of a part of the lanes. */
INLINE void best_part(struct best_paths *b, int64_t from, int64_t to, const int64_t K)
{
    struct chain_lanes *g = &b->g;
    for (int64_t t0 = from, n; t0 < to; t0 += n) {
        n = LEAST(g->e.steps, to - t0);
        lanes_rows(g, t0, n);
        g->e.b = g->b;
        emitted(&g->e, n, 1, K);
        best_steps(b, t0, n, b->trail + (t0 - from) * K * VL, K);
    }
}

/* The lanes' beginnings; the steps of the longest, or -1 where nothing tells how one begins. */
INLINE int64_t paths_begin(struct best_paths *b, int64_t lane, const int64_t K)
{
    struct chain_lanes *g = &b->g;
    const struct mixtura_stretches *s = g->asked;
    int64_t longest = lanes_placed(g, lane);
    for (int l = 0; l < VL; l++) {
        double *enter = s->enter + g->from[l] * K;
        int within = g->length[l] && !begins_sequence(s, g->from[l]);
        if (within && best_before(g, b->move, b->initial, g->from[l], enter, K))
            return -1;
        for (int64_t k = 0; k < K; k++)
            b->best[k * VL + l] = within ? enter[k] : 0.0;
    }
    return longest;
}

/* Lanes z: of each the state from which its best path into z came, at a step with this trail. Of few
 * states pairs are compared, and pairs of these: one by one each would wait for the one before. */
INLINE ivec came_from(const double *trail, const double *move, ivec z, const int64_t K)
{
    const int64_t Kp = ROUND_UP(K, VL);
    vec by[FEW], first[FEW];
    if (!__builtin_constant_p(K)) {
        vec most = load(trail) + looked_up(move, z, K);
        ivec from = {0};
        for (int64_t i = 1; i < K; i++) {
            vec other = load(trail + i * VL) + looked_up(move + i * Kp, z, K);
            from = pick_more(other, most, i - (ivec){0}, from);
            most = vmax(most, other);
        }
        return from;
    }
    UNROLL
    for (int64_t i = 0; i < K; i++) {
        by[i] = load(trail + i * VL) + looked_up(move + i * Kp, z, K);
        first[i] = (vec)(i - (ivec){0});
    }
    UNROLL
    for (int64_t width = 1; width < K; width *= 2)
        UNROLL
        for (int64_t i = 0; i + width < K; i += 2 * width) {
            first[i] = (vec)pick_more(by[i + width], by[i], (ivec)first[i + width], (ivec)first[i]);
            by[i] = vmax(by[i], by[i + width]);
        }
    return (ivec)first[0];
}

/* The state from which the best path into z came, of values `stride` places apart. */
static int64_t one_came_from(const double *value, int64_t stride, const double *move, int64_t z,
                             int64_t K)
{
    int64_t Kp = ROUND_UP(K, VL), from = 0;
    for (int64_t i = 1; i < K; i++)
        if (value[i * stride] + move[i * Kp + z] > value[from * stride] + move[from * Kp + z])
            from = i;
    return from;
}

/* The lanes' paths back, over steps from .. to, from the likeliest state at the end of each piece:
 * if the sequence goes on behind a lane, that is a guess. z: states at step to, then before `from`. */
INLINE void guessed_paths(struct best_paths *b, int64_t from, int64_t to, int64_t *z, const int64_t K)
{
    struct chain_lanes *g = &b->g;
    const struct mixtura_stretches *s = g->asked;
    for (int64_t t = to - 1, next; t >= from; t = next) {
        int64_t *states[VL], spare[VL], on[VL];
        next = from - 1;
        for (int l = 0; l < VL; l++) {
            on[l] = g->length[l] > t;
            states[l] = on[l] ? s->states + g->first[l] : spare;
            if (g->last[l] < g->from[l])
                continue;
            int64_t end = s->cuts[g->last[l] + 1] - 1 - g->first[l];
            if (end == t) {
                const double *final = s->final + g->last[l]-- * K;
                z[l] = 0;
                for (int64_t k = 1; k < K; k++)
                    z[l] = final[k] > final[z[l]] ? k : z[l];
                end = g->last[l] < g->from[l] ? -1 : s->cuts[g->last[l] + 1] - 1 - g->first[l];
            }
            next = at_least(next, end);
        }
        ivec now;
        memcpy(&now, z, sizeof now);
        for (int64_t i = t; i > next; i--) {
            memcpy(z, &now, sizeof now);
            for (int l = 0; l < VL; l++)
                states[l][on[l] ? i : 0] = z[l];
            now = came_from(b->trail + (i - from) * K * VL, b->move, now, K);
        }
        memcpy(z, &now, sizeof now);
    }
}

/* The path put right from row `row` of piece p on back, where it is in state z there, up to where it
 * meets the guessed one; the rows that differ. `told` (by rows, its end that of the piece) receives
 * it, or the states themselves do. */
static int64_t put_right(const struct best_paths *b, int l, int64_t p, int64_t z, int16_t *told)
{
    const struct mixtura_stretches *s = b->g.asked;
    int64_t K = b->g.K, end = s->cuts[p + 1], row = end - 1;
    for (; row >= s->cuts[p] && s->states[row] != z; row--) {
        if (told)
            *--told = (int16_t)z;
        else
            s->states[row] = z;
        z = one_came_from(b->trail + (row - b->g.first[l]) * K * VL + l, VL, b->move, z, K);
    }
    return end - 1 - row;
}

/* The guessed paths of a pack put right, as those behind it are by now; of the last lane of all what
 * follows is not known, and all paths are told. Non-zero where these do not meet. */
static int joined_paths(struct best_paths *b, int64_t lane)
{
    const struct chain_lanes *g = &b->g;
    struct mixtura_stretches *s = b->asked;
    int64_t K = g->K;
    for (int l = VL - 1; l >= 0; l--) {
        if (!g->length[l])
            continue;
        int64_t p = g->to[l] - 1, last = lane + l + 1 == s->lanes;
        if (!last && !ends_sequence(s, p))
            put_right(b, l, p, s->state, 0);
        for (int64_t k = 0; k < K && last && !ends_sequence(s, p); k++) {
            s->differ[k] = put_right(b, l, p, k, s->other + (k + 1) * g->length[l]);
            if (s->differ[k] == s->cuts[p + 1] - s->cuts[p] && !begins_sequence(s, p))
                return 1;
        }
        s->state = one_came_from(s->enter + g->from[l] * K, 1, b->move, s->states[g->first[l]], K);
    }
    return 0;
}

/* One pack of lanes of T steps; part after part, the last of which is not gone through twice. */
INLINE void paths_pack(struct best_paths *b, int64_t T, const int64_t K)
{
    struct chain_lanes *g = &b->g;
    int64_t parts = (T + TRAIL - 1) / TRAIL, z[VL] = {0};
    next_begin(g);
    for (int64_t part = 0; part < parts; part++) {
        memcpy(b->before + part * K * VL, b->best, (size_t)(K * VL) * 8);
        memcpy(b->before_piece + part * VL, g->piece, sizeof g->piece);
        best_part(b, part * TRAIL, LEAST((part + 1) * TRAIL, T), K);
    }
    begin_paths(b, T);
    for (int64_t part = parts - 1; part >= 0; part--) {
        int64_t from = part * TRAIL, to = LEAST(from + TRAIL, T);
        if (part < parts - 1) {
            memcpy(b->best, b->before + part * K * VL, (size_t)(K * VL) * 8);
            memcpy(g->piece, b->before_piece + part * VL, sizeof g->piece);
            next_begin(g);
            best_part(b, from, to, K);
        }
        guessed_paths(b, from, to, z, K);
    }
}

static int any_goes_on(const struct chain_lanes *g)
{
    int any = 0;
    for (int l = 0; l < VL; l++)
        any |= g->length[l] && !ends_sequence(g->asked, g->to[l] - 1);
    return any;
}

INLINE int paths_of(struct best_paths *b, const int64_t K)
{
    struct mixtura_stretches *s = b->asked;
    for (int64_t lane = (s->lanes - 1) / VL * VL; lane >= 0; lane -= VL) {
        int64_t T = paths_begin(b, lane, K);
        if (T < 0 || (T > TRAIL && any_goes_on(&b->g)))
            return ROAD_NO_LAW;
        paths_pack(b, T, K);
        if (joined_paths(b, lane))
            return ROAD_NO_LAW;
    }
    return 0;
}

static int paths_sized(struct best_paths *b)
{
    SIZED(b->g.K, paths_of, b)
}

/* Room, and logarithms of the laws; non-zero where memory ran out. */
static int paths_open(struct best_paths *b, struct mixtura_stretches *s, int64_t most)
{
    int64_t K = s->K, Kp = ROUND_UP(K, VL), parts = most / TRAIL + 1, trail = LEAST(most, TRAIL);
    b->move = malloc((size_t)(K * Kp + K + K * VL + (trail + parts) * K * VL + parts * VL) * 8);
    if (!b->move)
        return 1;
    b->asked = s;
    b->initial = b->move + K * Kp;
    b->best = b->initial + K;
    b->trail = b->best + K * VL;
    b->before = b->trail + trail * K * VL;
    b->before_piece = (int64_t *)(void *)(b->before + parts * K * VL);
    for (int64_t i = 0; i < K * Kp; i++)
        b->move[i] = i % Kp < K ? log(s->moves[i / Kp * K + i % Kp]) : 0.0;
    for (int64_t k = 0; k < K; k++)
        b->initial[k] = log(s->initial[k]);
    return 0;
}

static int likeliest(struct mixtura_stretches *s)
{
    struct best_paths b;
    int64_t most = 0;
    for (int64_t lane = 0; lane < s->lanes; lane++)
        most = at_least(most, lane_steps(s, lane));
    if (paths_open(&b, s, most))
        return 1;
    int failed = lanes_open(&b.g, s, most, 1);
    if (!failed)
        s->another_road = paths_sized(&b);
    emission_close(&b.g.e);
    free(b.g.memory);
    free(b.move);
    return failed;
}

#endif
