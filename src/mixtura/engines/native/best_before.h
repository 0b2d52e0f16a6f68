/* What the best paths are worth where a lane begins within a sequence.
 *
 * One goes back from the cut until every state to begin with would lead to the same differences
 * between the best paths, as bounds.h does with sums.
 */
#ifndef MIXTURA_BEST_BEFORE_H
#define MIXTURA_BEST_BEFORE_H

#include "stretches.h"

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
            vec best = line[0] + move[i * Kp];
            for (int64_t j = 1; j < K; j++)
                best = vmax(best, line[j] + move[i * Kp + j]);
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
        int64_t T = emitted_ahead(g, s->cuts[p] - done - n, n, 1, K);
        for (int64_t q = 1; q <= n; q++) {
            int64_t r = n - q, at = r / T + (r % T) * VL;
            int first = done + q == left;
            for (int64_t k = 0; k < K; k++) {
                double own = g->e.b[k * g->e.stride + at];
                /* What is no number is no density. */
                b[k] = own == own ? own : -INFINITY;
            }
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

#endif
