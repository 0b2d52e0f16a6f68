/* The laws of states where a lane begins or ends within a sequence.
 *
 * The forward vector before a cut is a product of matrices, begun with what was before them. Once all
 * lines of the product are alike it does not matter any more what that was: so one goes back from
 * the cut, step by step, until they are. Backward vectors are found alike, ahead of the cut.
 */
#ifndef MIXTURA_BOUNDS_H
#define MIXTURA_BOUNDS_H

#include "lanes.h"

/* Lines are alike up to this, relative in each number. */
#define ALIKE 1e-13
/* A line so much fainter than the others tells nothing; where moves are barred it must tell of every
 * state what is more than LOST_AT_CUT. */
#define LINE_FAINT 1e-200
#define BARRED_LINE_FAINT 1e-8

/* Whether all lines of M (K x Kp) are multiples of one, into `law`; lines of which `none` holds 0
 * are left out. M is divided by its largest number. Negative where numbers have run out. */
static int alike(double *M, const double *none, double *law, int barred, int64_t K)
{
    const double faint = barred ? BARRED_LINE_FAINT : LINE_FAINT;
    const int64_t Kp = ROUND_UP(K, VL);
    double largest = 0.0;
    vec most = splat(0.0);
    for (int64_t i = 0; i < K * Kp; i += VL)
        most = vmax(load(M + i), most);
    for (int l = 0; l < VL; l++)
        largest = most[l] > largest ? most[l] : largest;
    if (!(largest > (barred ? LINE_FAINT : 0.0)))
        return -1;
    for (int64_t i = 0; i < K * Kp; i++)
        M[i] *= 1.0 / largest;
    int64_t met = 0;
    for (int64_t i = 0; i < K; i++) {
        double sum = 0.0;
        for (int64_t k = 0; k < K; k++)
            sum += M[i * Kp + k];
        if (none && none[i] == 0.0)
            continue;
        if (!(sum > faint))
            return 0;
        for (int64_t k = 0; k < K && !met; k++)
            law[k] = M[i * Kp + k] / sum;
        met++;
        for (int64_t k = 0; k < K; k++)
            if (!(fabs(M[i * Kp + k] / sum - law[k]) <= ALIKE * law[k]))
                return 0;
    }
    return met > 0;
}

/* b of rows from .. from + n, n at most a block: of row from + r in place r / T + (r % T) VL, T the
 * steps that it returns. */
INLINE int64_t emitted_ahead(struct chain_lanes *g, int64_t from, int64_t n, const int logarithms,
                             const int64_t K)
{
    struct emission *e = &g->e;
    int64_t T = (n + VL - 1) / VL;
    for (int l = 0; l < VL; l++) {
        e->first[l] = from + l * T;
        e->there[l] = at_least(LEAST(n - l * T, T), 0);
        for (int64_t t = 0; t < T; t++)
            e->times[t * VL + l] = t < e->there[l] ? 1.0 : 0.0;
    }
    e->even = 0;
    e->b = g->b;
    emitted(e, T, logarithms, K);
    return T;
}

/* N = moves diag(b) M, or where `ahead` N = diag(b) moves M; lines are padded to whole vectors. */
INLINE void multiplied(double *restrict N, double *restrict M, const double *restrict moves,
                       const double *restrict b, int ahead, const int64_t K)
{
    const int64_t Kp = ROUND_UP(K, VL);
    for (int64_t v = 0; v < Kp; v += VL) {
        vec line[K];
        for (int64_t j = 0; j < K; j++)
            line[j] = load(M + j * Kp + v) * (ahead ? 1.0 : b[j]);
        for (int64_t i = 0; i < K; i++) {
            vec sum = line[0] * moves[i * K];
            for (int64_t j = 1; j < K; j++)
                sum += line[j] * moves[i * K + j];
            store(N + i * Kp + v, sum * (ahead ? b[i] : 1.0));
        }
    }
}

/* The law before the cut at the begin of piece p; or `ahead` behind that at its end, whose scale
 * means nothing. Non-zero where as many steps as are asked for do not tell it. */
INLINE int law_at(struct chain_lanes *g, int64_t p, int ahead, double *law, const int64_t K)
{
    const struct mixtura_stretches *s = g->asked;
    const int64_t Kp = ROUND_UP(K, VL);
    double *M = g->room, *N = M + K * Kp, b[K];
    int64_t at = ahead ? s->cuts[p + 1] : s->cuts[p], most = LEAST(g->e.steps, 16) * VL;
    int64_t left = ahead ? s->ends[p] - at : at - s->begins[p], reach = LEAST(left, s->reach);
    for (int64_t i = 0; i < K * Kp; i++)
        M[i] = i % (Kp + 1) == 0;
    for (int64_t n, done = 0; done < reach; done += n) {
        n = LEAST(most, reach - done);
        int64_t T = emitted_ahead(g, ahead ? at + done : at - done - n, n, 0, K);
        for (int64_t q = 1; q <= n; q++) {
            int64_t r = ahead ? q - 1 : n - q;
            for (int64_t k = 0; k < K; k++)
                b[k] = g->e.b[k * g->e.stride + r / T + (r % T) * VL];
            if (!ahead && done + q == left) {
                for (int64_t k = 0; k < K; k++)
                    law[k] = 0.0;
                for (int64_t i = 0; i < K; i++)
                    for (int64_t k = 0; k < K; k++)
                        law[k] += s->initial[i] * b[i] * M[i * Kp + k];
                break;
            }
            multiplied(N, M, ahead ? g->back : s->moves, b, ahead, K);
            double *last = M;
            M = N;
            N = last;
            int same = q % 8 == 0 || q == n ? alike(M, ahead ? b : 0, law, g->barred, K) : 0;
            if (same)
                return same < 0;
        }
    }
    if (reach < left)
        return 1;
    for (int64_t k = 0; k < K && ahead; k++) {
        law[k] = 0.0;
        for (int64_t j = 0; j < K; j++)
            law[k] += M[j * Kp + k];
    }
    double sum = 0.0;
    for (int64_t k = 0; k < K; k++)
        sum += law[k];
    for (int64_t k = 0; k < K; k++)
        law[k] /= sum;
    return !(sum > LINE_FAINT);
}

#endif
