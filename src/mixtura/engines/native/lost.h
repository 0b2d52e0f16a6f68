/* The information lost with the labels: the covariance, given the rows, of what the complete data
 * would tell, summed over rows (Louis 1982, J. Royal Statistical Society B 44).
 *
 * With f_k what a row tells of component k (a 1, its whitened residual y, and the slopes of the log
 * density in the numbers of the root: y y' - 1 in the form's shape), r its responsibilities and w its
 * weight, the tile of components k and l is -sum w r_k r_l f_k f_l', that of one component
 * sum w r_k (1 - r_k) f_k f_k'. Rows are taken 64 at a time, and a bit says for each whether it has a
 * share in a component: a tile costs nothing where no row has one in both. */
#ifndef MIXTURA_LOST_H
#define MIXTURA_LOST_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "simd.h"

/* Rows, and where what they lose with their labels goes. */
struct mixtura_lost {
    const double *x;      /* n x d */
    const double *weight; /* n, or NULL */
    const double *shares; /* n x K: responsibilities, without the weights */
    const struct mixtura_model *model;
    int64_t n, d;
    int64_t q, width; /* numbers that a component hears of a row, and those with room for vectors */
    double least;     /* a share that is none */
    double *lost;     /* K x K x q x width, added to where the second component is no later */
};

enum { LOST_ROWS = 64, LOST_HIGH = 6 };

/* What component k hears of a row x of d columns, times `by`: q numbers, those behind them stay 0. */
INLINE void lost_told(const struct mixtura_model *m, int64_t d, int64_t form, int64_t k, const double *x,
                      double by, double *y, double *out)
{
    const double *mean = m->means + k * d;
    const double *root = m->whiten + (form == FORM_FULL ? k * d * d : form == FORM_DIAG ? k * d : 0);
    double length = -(double)d;
    *out++ = by;
    for (int64_t a = 0; a < d; a++) {
        if (form == FORM_DIAG)
            y[a] = root[a] * (x[a] - mean[a]);
        else if (form == FORM_SPHERICAL)
            y[a] = root[k] * (x[a] - mean[a]);
        else {
            y[a] = 0.0;
            for (int64_t b = 0; b <= a; b++)
                y[a] += root[a * d + b] * (x[b] - mean[b]);
        }
        *out++ = by * y[a];
        length += y[a] * y[a];
    }
    if (form == FORM_SPHERICAL) {
        *out = by * length;
        return;
    }
    for (int64_t a = 0; a < d; a++)
        for (int64_t b = form == FORM_DIAG ? a : 0; b <= a; b++)
            *out++ = by * (y[a] * y[b] - (a == b));
}

/* tile += sign sum over `many` rows of `high` numbers of f times one vector of g. Two rows at a time:
 * a sum waits for its last addend. */
INLINE void lost_strip(int high, double sign, const double *f, const double *g, int64_t width,
                       const int32_t *rows, int64_t many, double *tile)
{
    vec sums[LOST_HIGH], others[LOST_HIGH];
    UNROLL
    for (int a = 0; a < high; a++)
        sums[a] = others[a] = splat(0.0);
    int64_t i = 0;
    for (; i + 2 <= many; i += 2) {
        vec right = load(g + rows[i] * width), beside = load(g + rows[i + 1] * width);
        const double *left = f + rows[i] * width, *next = f + rows[i + 1] * width;
        UNROLL
        for (int a = 0; a < high; a++) {
            sums[a] += left[a] * right;
            others[a] += next[a] * beside;
        }
    }
    if (i < many) {
        vec right = load(g + rows[i] * width);
        const double *left = f + rows[i] * width;
        UNROLL
        for (int a = 0; a < high; a++)
            sums[a] += left[a] * right;
    }
    UNROLL
    for (int a = 0; a < high; a++)
        store(tile + a * width, load(tile + a * width) + sign * (sums[a] + others[a]));
}

/* tile (q x width) += sign sum over rows of f g'. */
static void lost_tile(int64_t q, double sign, const double *f, const double *g, int64_t width,
                      const int32_t *rows, int64_t many, double *tile)
{
    for (int64_t v = 0; v < width; v += VL) {
        int64_t a = 0;
        for (; a + LOST_HIGH <= q; a += LOST_HIGH)
            lost_strip(LOST_HIGH, sign, f + a, g + v, width, rows, many, tile + a * width + v);
        for (; a + 3 <= q; a += 3)
            lost_strip(3, sign, f + a, g + v, width, rows, many, tile + a * width + v);
        for (; a < q; a++)
            lost_strip(1, sign, f + a, g + v, width, rows, many, tile + a * width + v);
    }
}

/* The same, with the commonest numbers of columns known to the compiler. */
static void lost_hears(const struct mixtura_lost *asked, int64_t k, const double *x, double by, double *y,
                       double *out)
{
    const struct mixtura_model *m = asked->model;
    if (m->form == FORM_FULL && asked->d == 2)
        lost_told(m, 2, FORM_FULL, k, x, by, y, out);
    else
        lost_told(m, asked->d, m->form, k, x, by, y, out);
}

static int64_t lost_bits(uint64_t mask, int32_t *rows)
{
    int64_t many = 0;
    for (; mask; mask &= mask - 1)
        rows[many++] = (int32_t)__builtin_ctzll(mask);
    return many;
}

/* The tiles of n <= 64 rows from `first` on. told: K x 64 x width, own: 64 x width. */
static void lost_block(const struct mixtura_lost *asked, int64_t first, int64_t n, double *told,
                       double *own, uint64_t *masks, int32_t *some, double *y)
{
    int64_t K = asked->model->K, q = asked->q, width = asked->width, among = 0;
    int32_t rows[LOST_ROWS];
    memset(masks, 0, (size_t)K * sizeof *masks);
    for (int64_t i = 0; i < n; i++) {
        const double *shares = asked->shares + (first + i) * K, *x = asked->x + (first + i) * asked->d;
        double root = asked->weight ? sqrt(asked->weight[first + i]) : 1.0;
        for (int64_t k = 0; k < K; k++)
            if (shares[k] > asked->least) {
                masks[k] |= (uint64_t)1 << i;
                lost_hears(asked, k, x, root * shares[k], y, told + (k * LOST_ROWS + i) * width);
            }
    }
    for (int64_t k = 0; k < K; k++) {
        const double *f = told + k * LOST_ROWS * width;
        if (!masks[k])
            continue;
        for (int64_t s = 0; s < among; s++) {
            int64_t l = some[s], many = lost_bits(masks[k] & masks[l], rows);
            if (many)
                lost_tile(q, -1.0, f, told + l * LOST_ROWS * width, width, rows, many,
                          asked->lost + (k * K + l) * q * width);
        }
        some[among++] = (int32_t)k;
        int64_t many = lost_bits(masks[k], rows);
        for (int64_t i = 0; i < many; i++) {
            double r = asked->shares[(first + rows[i]) * K + k], by = sqrt(fmax(1.0 - r, 0.0) / r);
            for (int64_t v = rows[i] * width; v < (rows[i] + 1) * width; v += VL)
                store(own + v, by * load(f + v));
        }
        lost_tile(q, 1.0, own, own, width, rows, many, asked->lost + (k * K + k) * q * width);
    }
}

static int lost(const struct mixtura_lost *asked)
{
    int64_t K = asked->model->K, d = asked->d, width = asked->width, block = LOST_ROWS * width;
    double *told = calloc((size_t)((K + 1) * block + d), sizeof *told);
    uint64_t *masks = malloc((size_t)K * sizeof *masks);
    int32_t *some = malloc((size_t)K * sizeof *some);
    int failed = !told || !masks || !some;
    for (int64_t first = 0; !failed && first < asked->n; first += LOST_ROWS) {
        int64_t n = asked->n - first < LOST_ROWS ? asked->n - first : LOST_ROWS;
        lost_block(asked, first, n, told, told + K * block, masks, some, told + (K + 1) * block);
    }
    free(told);
    free(masks);
    free(some);
    return failed;
}

#endif
