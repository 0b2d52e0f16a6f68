/* The likeliest paths (Viterbi 1967) of sequences, VL stretches side by side.
 *
 * In logarithms, for sums and maxima cost no exponentials. Among equals the first state is taken.
 * Before a cut within a sequence one goes back until every state to begin with would lead to the
 * same differences between the best paths, as bounds.h does with sums. Which state each best path
 * came from is kept; paths are told from the last lane to the first once all of that is known.
 */
#ifndef MIXTURA_LIKELIEST_H
#define MIXTURA_LIKELIEST_H

#include "stretches.h"

typedef int16_t shorts __attribute__((vector_size(VL * 2)));
typedef int16_t shorts_any __attribute__((vector_size(VL * 2), aligned(2), may_alias));

/* Differences between best paths are alike up to this, relative. */
#define ALIKE_LOG 1e-12

/* Whether all of so many lines of M, padded to whole vectors, differ by a constant, into `law`. */
static int alike_best(const double *M, int64_t lines, double *law, int64_t K)
{
    int64_t best = 0;
    for (int64_t k = 1; k < K; k++)
        best = M[k] > M[best] ? k : best;
    for (int64_t i = 0; i < lines; i++) {
        const double *line = M + i * ROUND_UP(K, VL);
        if (!(line[best] > -INFINITY))
            return 0;
        for (int64_t k = 0; k < K; k++) {
            double less = line[k] - line[best];
            law[k] = i ? law[k] : less;
            if (less != law[k] && !(fabs(less - law[k]) <= ALIKE_LOG * (1.0 + fabs(law[k]))))
                return 0;
        }
    }
    return 1;
}

/* N_ik = max_j (move_ij + b_j + M_jk), lines padded to whole vectors. */
INLINE void best_multiplied(double *restrict N, const double *restrict M, const double *restrict move,
                            const double *restrict b, int64_t lines, const int64_t K)
{
    const int64_t Kp = ROUND_UP(K, VL);
    for (int64_t v = 0; v < Kp; v += VL) {
        vec line[K];
        for (int64_t j = 0; j < K; j++)
            line[j] = load(M + j * Kp + v) + b[j];
        for (int64_t i = 0; i < lines; i++) {
            vec best = line[0] + move[i * K];
            for (int64_t j = 1; j < K; j++)
                best = vmax(best, line[j] + move[i * K + j]);
            store(N + i * Kp + v, best);
        }
    }
}

/* What the best paths to each state are worth before the begin of piece p, but for a constant; `move`
 * and `initial` in logarithms. Non-zero where as many steps as are asked for do not tell it. */
INLINE int best_before(struct chain_lanes *g, const double *move, const double *initial, int64_t p,
                       double *law, const int64_t K)
{
    const struct mixtura_stretches *s = g->asked;
    const int64_t Kp = ROUND_UP(K, VL);
    int64_t most = LEAST(g->e.steps, 16) * VL, left = s->cuts[p] - s->begins[p];
    int64_t reach = LEAST(left, s->reach);
    double *M = g->room, *N = M + K * Kp, b[K];
    for (int64_t i = 0; i < K * Kp; i++)
        M[i] = i % (Kp + 1) == 0 ? 0.0 : -INFINITY;
    for (int64_t n, done = 0; done < reach; done += n) {
        n = LEAST(most, reach - done);
        int64_t T = emitted_ahead(g, s->cuts[p] - done - n, n, 1);
        for (int64_t q = 1; q <= n; q++) {
            int64_t r = n - q, at = r / T + (r % T) * VL;
            int first = done + q == left;
            for (int64_t k = 0; k < K; k++)
                b[k] = g->e.b[k * g->e.stride + at];
            best_multiplied(N, M, first ? initial : move, b, first ? 1 : K, K);
            double *last = M;
            M = N;
            N = last;
            if ((first || q % 8 == 0 || q == n) && alike_best(M, first ? 1 : K, law, K))
                return 0;
        }
    }
    return 1;
}

struct best_paths {
    struct chain_lanes g;
    double *move, *initial; /* logarithms */
    double *best;           /* K x VL */
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

/* n steps from t0 on; `whence` (n x K x VL) says which state the best paths came from. */
INLINE void best_steps(struct best_paths *p, int64_t t0, int64_t n, int16_t *whence, const int64_t K)
{
    struct chain_lanes *g = &p->g;
    const double *move = p->move, *b = g->e.b;
    vec best[K];
    for (int64_t k = 0; k < K; k++)
        best[k] = load(p->best + k * VL);
    for (int64_t t = 0; t < n; t++) {
        vec next[K];
        for (int64_t j = 0; j < K; j++) {
            vec most = best[0] + move[j];
            ivec from = {0};
            for (int64_t i = 1; i < K; i++) {
                vec by = best[i] + move[i * K + j];
                from = pick_more(by, most, i - (ivec){0}, from);
                most = vmax(most, by);
            }
            next[j] = most;
            *(shorts_any *)(whence + (t * K + j) * VL) =
                (shorts_any)__builtin_convertvector(from, shorts);
        }
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
            best[k] = next[k] + load(b + k * g->e.stride + t * VL);
    }
    for (int64_t k = 0; k < K; k++)
        store(p->best + k * VL, best[k]);
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

/* The lanes' paths back from the likeliest state at the end of each piece: if the sequence goes on
 * behind a lane, that is a guess. */
static void guessed_paths(struct chain_lanes *g, const int16_t *whence, int64_t T)
{
    const struct mixtura_stretches *s = g->asked;
    int64_t K = g->K, z[VL] = {0}, first[VL];
    int64_t *states[VL];
    for (int l = 0; l < VL; l++)
        states[l] = s->states + g->first[l];
    for (int64_t t = T - 1, next; t >= 0; t = next) {
        next = -1;
        for (int l = 0; l < VL; l++) {
            first[l] = g->length[l] > t ? 0 : T;
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
        for (int64_t i = t; i > next; i--)
            for (int l = 0; l < VL; l++) {
                if (i < first[l])
                    continue;
                states[l][i] = z[l];
                z[l] = whence[(i * K + z[l]) * VL + l];
            }
    }
}

INLINE int paths_of(struct best_paths *b, const int64_t K)
{
    struct chain_lanes *g = &b->g;
    const struct mixtura_stretches *s = g->asked;
    int16_t *whence = s->whence;
    for (int64_t lane = 0; lane < s->lanes; lane += VL) {
        int64_t T = paths_begin(b, lane, K);
        if (T < 0)
            return ROAD_NO_LAW;
        next_begin(g);
        for (int64_t t0 = 0, n; t0 < T; t0 += n, whence += n * K * VL) {
            n = LEAST(g->e.steps, T - t0);
            lanes_rows(g, t0, n);
            g->e.b = g->b;
            emitted(&g->e, n, 1);
            best_steps(b, t0, n, whence, K);
        }
        begin_paths(b, T);
        guessed_paths(g, whence - T * K * VL, T);
    }
    return 0;
}

static int paths_sized(struct best_paths *b)
{
    SIZED(b->g.K, paths_of, b)
}

/* The guesses put right from the last lane to the first, where s->state is that of the path behind
 * them; in the end it is the one before the first row. */
static void told_paths(struct mixtura_stretches *s)
{
    int64_t K = s->K, packs = (s->lanes + VL - 1) / VL, offset[packs + 1];
    offset[0] = 0;
    for (int64_t q = 0; q < packs; q++) {
        int64_t longest = 0;
        for (int64_t l = q * VL; l < (q + 1) * VL; l++)
            longest = at_least(longest, lane_steps(s, l));
        offset[q + 1] = offset[q] + longest * K * VL;
    }
    for (int64_t lane = s->lanes - 1; lane >= 0; lane--) {
        const int16_t *whence = s->whence + offset[lane / VL] + lane % VL;
        int64_t first = s->cuts[s->pieces[lane]], p = s->pieces[lane + 1] - 1, z = s->state;
        /* Paths that meet go on together. */
        for (int64_t row = s->cuts[p + 1] - 1;
             !ends_sequence(s, p) && row >= s->cuts[p] && s->states[row] != z; row--) {
            s->states[row] = z;
            z = whence[((row - first) * K + z) * VL];
        }
        s->state = whence[s->states[first] * VL];
    }
}

static int likeliest(struct mixtura_stretches *s)
{
    struct best_paths b;
    if (s->state >= 0) {
        told_paths(s);
        return 0;
    }
    int64_t most = 0, K = s->K;
    for (int64_t lane = 0; lane < s->lanes; lane++)
        most = at_least(most, lane_steps(s, lane));
    int failed = lanes_open(&b.g, s, most, 1);
    b.move = failed ? 0 : calloc((size_t)(K * K + K + K * VL), sizeof *b.move);
    if (b.move) {
        b.initial = b.move + K * K;
        b.best = b.initial + K;
        for (int64_t i = 0; i < K * K; i++)
            b.move[i] = log(s->moves[i]);
        for (int64_t k = 0; k < K; k++)
            b.initial[k] = log(s->initial[k]);
        s->another_road = paths_sized(&b);
    }
    failed = failed || !b.move;
    free(b.move);
    emission_close(&b.g.e);
    free(b.g.memory);
    return failed;
}

#endif
