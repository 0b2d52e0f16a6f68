/* Which components can matter for a row, told by how far the row is from one of them.
 *
 * Let y = W_g (x - m_g) be the row in the whitened units of a component g, r = |y|, and
 * x = m_g + R_g y with R_g the inverse of W_g. For another component h put
 * v = W_h (m_g - m_h), D = |v|, u = v / D and s = |R_g' W_h' u|. A vector is at least as
 * long as its component along u, so (Cauchy & Schwarz)
 *
 *     b := |W_h (x - m_h)| >= u'W_h (x - m_h) = D + (R_g' W_h' u)'y >= D - s r,
 *
 * which needs no norm of a matrix, and is the triangle inequality of Elkan (2003, Using the
 * triangle inequality to accelerate k-means, ICML) where all covariances are equal. With
 * shift = log weight + log norm, the responsibility of h for the row is at most
 * exp(shift_h - b^2/2 - shift_g + r^2/2). What it adds to the component's count and to the
 * trace of its second moment, (1 + b^2) times that, falls with b from b = 1 on. So
 *
 *     shift_h - shift_g + r^2/2 - (D - s r)^2/2 + log(1 + D^2) <= -T_h  and  D - s r >= 1
 *
 * makes it at most exp(-T_h). The left side grows with r, so there is one radius rho(g, h)
 * up to which h may be skipped. T_h = 53 log 2 + 1 - log weight_h: what is skipped for h over
 * a table comes to at most weight_h 2^-53 of the table's weight, and what is skipped for a
 * row to at most 2^-53 of its density; the 1 covers the rounding of D and s. The caller
 * compares the counts that come out with the weights (see engines/pruning.py). */
#ifndef MIXTURA_NEAR_H
#define MIXTURA_NEAR_H

#include <math.h>

#include "block.h"

struct neighbour {
    double radius2;
    int32_t k;
};

static int by_radius(const void *a, const void *b)
{
    const struct neighbour *x = a, *y = b;
    if (x->radius2 != y->radius2)
        return x->radius2 < y->radius2 ? -1 : 1;
    return x->k < y->k ? -1 : x->k > y->k;
}

/* T_h of the comment above. */
static double skip_below(double log_weight) { return 53.0 * 0.69314718055994530942 + 1.0 - log_weight; }

/* rho^2 for one pair; at most -1 where h may never be skipped, and lower the more h has. */
INLINE double skip_radius2(double D2, double s2, double gap)
{
    double D = __builtin_sqrt(D2), s = __builtin_sqrt(s2);
    double C = 2.0 * (gap + log(1.0 + D2)), spare = D2 - C;
    if (!(spare > 0.0 && D > 1.0 && D2 < 1e300 && s2 < 1e300))
        return spare < 0.0 ? spare - 1.0 : -1.0;
    double root = D2 + C * (s2 - 1.0);
    double rho = spare / (D * s + __builtin_sqrt(root > 0.0 ? root : 0.0));
    double least = (D - 1.0) / s;
    rho = rho < least ? rho : least;
    return rho * rho;
}

/* Parameters with components in lanes: value (i, h) at i Kp + h. */
struct lanes {
    int64_t K, Kp, d, form, rows;
    double *means, *whiten, *D2, *s2;
};

static void fill_lanes(struct lanes *p, const struct mixtura_model *m)
{
    int64_t K = p->K, d = p->d;
    for (int64_t h = 0; h < p->Kp; h++) {
        int64_t k = h < K ? h : 0;
        for (int64_t j = 0; j < d; j++)
            p->means[j * p->Kp + h] = m->means[k * d + j];
        const double *w = m->whiten + (p->form == FORM_FULL   ? k * d * d
                                       : p->form == FORM_DIAG ? k * d
                                       : p->form == FORM_TIED ? 0
                                                              : k);
        for (int64_t i = 0; i < p->rows; i++)
            p->whiten[i * p->Kp + h] = w[i];
    }
}

/* D^2 and s^2 of VL components h, from component g with lower root R (full), or with
 * whitening scales (diag, spherical). */
INLINE void pair_distances(const struct lanes *p, const double *restrict mean,
                           const double *restrict of_g, int64_t h)
{
    int64_t d = p->d, Kp = p->Kp;
    const double *W = p->whiten + h;
    vec e[NARROW_MAX], v[NARROW_MAX], t[NARROW_MAX], D2 = {0}, s2 = {0};
    for (int64_t j = 0; j < d; j++)
        e[j] = mean[j] - load(p->means + j * Kp + h);
    for (int64_t j = 0; j < d; j++) {
        v[j] = (vec){0};
        for (int64_t l = 0; l <= j; l++)
            v[j] += load(W + (j * d + l) * Kp) * e[l];
        D2 += v[j] * v[j];
    }
    if (p->form == FORM_FULL) {
        for (int64_t l = 0; l < d; l++) {
            t[l] = (vec){0};
            for (int64_t j = l; j < d; j++)
                t[l] += load(W + (j * d + l) * Kp) * v[j];
        }
        for (int64_t c = 0; c < d; c++) {
            vec a = {0};
            for (int64_t l = c; l < d; l++)
                a += of_g[l * d + c] * t[l];
            s2 += a * a;
        }
        s2 /= D2;
    } else {
        s2 = splat(1.0); /* tied: R' W' is the identity */
    }
    store(p->D2 + h, D2);
    store(p->s2 + h, s2);
}

INLINE void axis_distances(const struct lanes *p, const double *restrict mean,
                           const double *restrict of_g, int64_t h)
{
    int64_t each = p->form == FORM_DIAG, Kp = p->Kp;
    vec D2 = {0}, s2 = {0};
    for (int64_t j = 0; j < p->d; j++) {
        vec W = load(p->whiten + each * j * Kp + h);
        vec v = W * (mean[j] - load(p->means + j * Kp + h));
        vec a = W * v / of_g[each * j];
        D2 += v * v;
        s2 += a * a;
    }
    store(p->D2 + h, D2);
    store(p->s2 + h, s2 / D2);
}

/* The neighbours of component g: those that a row within near->cap of it may need. */
static void neighbours_of(const struct lanes *p, const struct mixtura_model *m,
                          const struct mixtura_near *near, int64_t g, struct neighbour *list)
{
    int64_t n = 0, limit = near->limit;
    int32_t usual = 0;
    double own = m->log_weights[g] + m->log_norm[g], cap2 = near->cap * near->cap;
    for (int64_t h = 0; h < p->K && (near->nearest || n <= limit); h++) {
        if (h == g || m->log_weights[h] == -__builtin_inf())
            continue;
        double gap = m->log_norm[h] + m->log_weights[h] - own + skip_below(m->log_weights[h]);
        double radius2 = skip_radius2(p->D2[h], p->s2[h], gap);
        if (radius2 >= cap2 && !near->nearest)
            continue;
        if (near->nearest || n < limit)
            list[n] = (struct neighbour){radius2, (int32_t)h};
        usual += radius2 < near->typical * near->typical;
        n++;
    }
    if (near->nearest)
        qsort(list, (size_t)n, sizeof *list, by_radius);
    n = near->nearest ? LEAST(n, limit) : n;
    near->usual[g] = n > limit ? (int32_t)p->K : usual;
    near->length[g] = n > limit ? -1 : (int32_t)n;
    if (n > limit)
        return;
    if (!near->nearest)
        qsort(list, (size_t)n, sizeof *list, by_radius);
    for (int64_t t = 0; t < n; t++) {
        near->index[g * limit + t] = list[t].k;
        near->radius2[g * limit + t] = list[t].radius2;
    }
}

/* Neighbours of the components first..last-1. `of_g` holds the lower roots (full) or the
 * whitening scales (diag, spherical); it is not read for tied. */
static int neighbours(const struct mixtura_model *m, int64_t d, const double *of_g,
                      int64_t first, int64_t last, const struct mixtura_near *near)
{
    int64_t K = m->K, Kp = ROUND_UP(K, VL);
    int axis = m->form == FORM_DIAG || m->form == FORM_SPHERICAL;
    int64_t rows = !axis ? d * d : m->form == FORM_DIAG ? d : 1;
    int64_t step = m->form == FORM_FULL ? d * d : m->form == FORM_TIED ? 0 : rows;
    double *memory = malloc((size_t)((d + rows + 2) * Kp) * 8);
    struct neighbour *list = malloc((size_t)K * sizeof *list);
    if (!memory || !list) {
        free(memory);
        free(list);
        return 1;
    }
    struct lanes p = {K, Kp, d, m->form, rows, memory, memory + d * Kp, 0, 0};
    p.D2 = p.whiten + rows * Kp;
    p.s2 = p.D2 + Kp;
    fill_lanes(&p, m);
    for (int64_t g = first; g < last; g++) {
        for (int64_t h = 0; h < Kp; h += VL)
            if (axis)
                axis_distances(&p, m->means + g * d, of_g + g * step, h);
            else
                pair_distances(&p, m->means + g * d, of_g + g * step, h);
        neighbours_of(&p, m, near, g, list);
    }
    free(memory);
    free(list);
    return 0;
}

#endif
