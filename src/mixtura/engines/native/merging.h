/* Model-based agglomeration, as `history` in fitting/hierarchical.py: see there for source and criteria.
 *
 * Every group knows its cheapest partner; a merge prices one group anew against the others. */
#ifndef MIXTURA_MERGING_H
#define MIXTURA_MERGING_H

#include <string.h>

#include "dense.h"
#include "kernels.h"

struct groups {
    const struct mixtura_merging *asked;
    double *rows, *means, *scatter, *traces, *values, *price, *tmp;
    int64_t *distinct, *partner, *left;
};

/* |a| of a symmetric matrix without negative eigenvalues; 0 where it is not positive. Destroys a. */
static double determinant(int64_t d, double *a)
{
    double product = 1.0;
    for (int64_t p = 0; p < d; p++) {
        double pivot = a[p * d + p];
        if (!(pivot > 0.0))
            return 0.0;
        product *= pivot;
        for (int64_t i = p + 1; i < d; i++) {
            double factor = a[i * d + p] / pivot;
            for (int64_t j = p + 1; j < d; j++)
                a[i * d + j] -= factor * a[p * d + j];
        }
    }
    return product;
}

/* What the union of groups i and j counts; its trace. */
static double union_value(const struct groups *g, int64_t i, int64_t j, double *trace)
{
    int64_t d = g->asked->d;
    double rows = g->rows[i] + g->rows[j], between = g->rows[i] * g->rows[j] / rows;
    double away = 0.0, volume = 0.0;
    const double *a = g->means + i * d, *b = g->means + j * d;
    for (int64_t c = 0; c < d; c++)
        away += (b[c] - a[c]) * (b[c] - a[c]);
    *trace = g->traces[i] + g->traces[j] + between * away;
    if (!g->asked->shaped)
        return *trace;
    if (g->distinct[i] + g->distinct[j] > d) {
        const double *one = g->scatter + i * d * d, *other = g->scatter + j * d * d;
        for (int64_t c = 0; c < d; c++)
            for (int64_t e = 0; e < d; e++)
                g->tmp[c * d + e] = (one[c * d + e] + other[c * d + e] +
                                     between * (b[c] - a[c]) * (b[e] - a[e])) / rows;
        volume = determinant(d, g->tmp);
    }
    return rows * log(volume + (*trace + g->asked->variance) / rows);
}

static double union_price(const struct groups *g, int64_t i, int64_t j)
{
    double trace;
    return union_value(g, i, j, &trace) - g->values[i] - g->values[j];
}

/* The partner of group i among the first `many` left, or -1 where no price is a number. */
static int64_t cheapest(const struct groups *g, int64_t i, int64_t many)
{
    int64_t n = g->asked->n, best = -1;
    double least = HUGE_VAL;
    for (int64_t t = 0; t < many; t++) {
        int64_t j = g->left[t];
        if (j != i && g->price[i * n + j] < least) {
            least = g->price[i * n + j];
            best = j;
        }
    }
    return best;
}

/* What group i and its partner cost. */
static double asking(const struct groups *g, int64_t i)
{
    return g->partner[i] < 0 ? HUGE_VAL : g->price[i * g->asked->n + g->partner[i]];
}

/* Group i takes in group j. */
static void take_in(struct groups *g, int64_t i, int64_t j)
{
    int64_t d = g->asked->d;
    double rows = g->rows[i] + g->rows[j], between = g->rows[i] * g->rows[j] / rows, trace;
    double *a = g->means + i * d, *b = g->means + j * d, *scatter = g->scatter + i * d * d;
    g->values[i] = union_value(g, i, j, &trace);
    for (int64_t c = 0; c < d; c++)
        for (int64_t e = 0; e < d; e++)
            scatter[c * d + e] += g->scatter[(j * d + c) * d + e] +
                                  between * (b[c] - a[c]) * (b[e] - a[e]);
    for (int64_t c = 0; c < d; c++)
        a[c] += (b[c] - a[c]) * g->rows[j] / rows;
    g->rows[i] = rows;
    g->traces[i] = trace;
    g->distinct[i] += g->distinct[j];
}

/* Returns 2 where no price that is left is a number. */
static int merge_all(struct groups *g)
{
    const struct mixtura_merging *asked = g->asked;
    int64_t n = asked->n, many = n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++)
            g->price[i * n + j] = g->price[j * n + i] = union_price(g, i, j);
    for (int64_t i = 0; i < n; i++)
        g->partner[i] = cheapest(g, i, many);
    for (int64_t step = 0; step < n - asked->K; step++) {
        int64_t i = g->left[0], j;
        for (int64_t t = 1; t < many; t++) {
            int64_t other = g->left[t];
            if (asking(g, other) < asking(g, i))
                i = other;
        }
        j = g->partner[i];
        if (j < 0)
            return 2;
        if (j < i) {
            int64_t kept = i;
            i = j;
            j = kept;
        }
        asked->pairs[2 * step] = i;
        asked->pairs[2 * step + 1] = j;
        take_in(g, i, j);
        int64_t at = 0;
        while (g->left[at] != j)
            at++;
        many--;
        memmove(g->left + at, g->left + at + 1, (size_t)(many - at) * 8);
        for (int64_t t = 0; t < many; t++) {
            int64_t other = g->left[t];
            if (other != i)
                g->price[i * n + other] = g->price[other * n + i] = union_price(g, i, other);
        }
        for (int64_t t = 0; t < many; t++) {
            int64_t other = g->left[t], partner = g->partner[other];
            if (partner == i || partner == j || other == i)
                g->partner[other] = cheapest(g, other, many);
            else if (g->price[other * n + i] < asking(g, other))
                g->partner[other] = i;
        }
    }
    return 0;
}

static int merging(const struct mixtura_merging *asked)
{
    int64_t n = asked->n, d = asked->d, numbers = n * (4 + d + d * d + n) + d * d;
    double *memory = malloc((size_t)numbers * 8);
    int64_t *whole = malloc((size_t)(3 * n) * 8);
    if (!memory || !whole) {
        free(memory);
        free(whole);
        return 1;
    }
    struct groups g = {.asked = asked};
    g.rows = memory;
    g.traces = g.rows + n;
    g.values = g.traces + n;
    g.means = g.values + n;
    g.scatter = g.means + n * d;
    g.tmp = g.scatter + n * d * d;
    g.price = g.tmp + d * d;
    g.distinct = whole;
    g.partner = whole + n;
    g.left = whole + 2 * n;
    memcpy(g.rows, asked->w, (size_t)n * 8);
    memcpy(g.means, asked->z, (size_t)(n * d) * 8);
    memset(g.scatter, 0, (size_t)(n * d * d) * 8);
    for (int64_t i = 0; i < n; i++) {
        g.traces[i] = 0.0;
        g.distinct[i] = 1;
        g.left[i] = i;
        g.values[i] = asked->shaped ? g.rows[i] * log(asked->variance / g.rows[i]) : 0.0;
    }
    int failed = merge_all(&g);
    free(memory);
    free(whole);
    return failed;
}

#endif
