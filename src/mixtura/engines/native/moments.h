/* The moments of one block, and their final reduction. */
#ifndef MIXTURA_MOMENTS_H
#define MIXTURA_MOMENTS_H

#include "raw.h"
#include "screen.h"

/* Responsibilities of component k over the block, into r; adds to its count. Returns
 * how many of them are not zero, and lists those rows when they are few. */
static int64_t responsibilities(struct work *w, int64_t k, int64_t nv)
{
    if (!w->live[k])
        return 0;
    double *e = w->log_p + k * w->stride;
    vec count = load(w->count + k * VL), zero = splat(0.0);
    uint16_t mask[SCREEN_BLOCK / VL];
    int64_t rows = 0;
    for (int64_t v = 0; v < nv; v++) {
        vec r = load(e + v * VL) * load(w->share + v * VL);
        if (w->form == FORM_TIED) {
            store(e + v * VL, r);
            r *= load(w->weight + v * VL);
        }
        store(w->r + v * VL, r);
        count += r;
        unsigned bits = not_below(r, zero);
        mask[v] = (uint16_t)bits;
        rows += __builtin_popcount(bits);
    }
    store(w->count + k * VL, count);
    /* Gathering a row costs about as much as a few columns of work on it. */
    if (rows > 0 && rows * (w->wide ? 1 : w->d < 4 ? 8 : 3) < nv * VL) {
        int64_t t = 0;
        for (int64_t v = 0; v < nv; v++)
            for (unsigned bits = mask[v]; bits; bits &= bits - 1) {
                int64_t i = v * VL + __builtin_ctz(bits);
                w->active[t] = (int32_t)i;
                w->r_active[t++] = w->r[i];
            }
        for (; t % ROW_STEP; t++) { /* whole tiles and vectors, with weight 0 */
            w->active[t] = w->active[0];
            w->r_active[t] = 0.0;
        }
        return rows;
    }
    return rows ? nv * VL : 0;
}

/* Copy the active rows of a block held by columns. */
static void gather(const struct work *w, const double *restrict x, int64_t m,
                   double *restrict out)
{
    for (int64_t j = 0; j < w->d; j++)
        for (int64_t t = 0; t < m; t++)
            out[j * w->stride + t] = x[j * w->stride + w->active[t]];
}

static void narrow_component(struct work *w, int64_t k, int64_t nv, int64_t rows)
{
    const struct mixtura_model *m = w->model;
    const struct narrow *f = &narrow_table[w->d];
    int64_t d = w->d, B = w->stride;
    int tied = w->form == FORM_TIED;
    int few = rows < nv * VL;
    const double *r = few ? w->r_active : w->r;
    const double *x = tied ? w->z : w->stored ? w->y + k * B * d : w->x;
    if (few) {
        nv = (rows + VL - 1) / VL;
        gather(w, x, nv * VL, w->tmp2);
        x = w->tmp2;
    }
    if (tied) {
        for (int64_t j = 0; j < d; j++)
            for (int64_t v = 0; v < nv * VL; v += VL)
                store(w->tmp + j * B + v, load(x + j * B + v) - w->means[k * d + j]);
        x = w->tmp;
    } else if (!w->stored) {
        f->product(x, B, m->means + k * d, m->whiten + k * d * d, nv, w->tmp);
        x = w->tmp;
    }
    f->sums(x, B, r, nv, w->second + (tied ? 0 : k * TRIANGLE(d) * VL),
            w->first + k * d * VL);
}

static void wide_component(struct work *w, int64_t k, int64_t nv, int64_t rows)
{
    int64_t ld = w->ld, B = w->stride;
    int few = rows < nv * VL;
    const double *y = w->y + (w->stored ? k * B * ld : 0);
    const double *r = few ? w->r_active : w->r;
    const int32_t *list = few ? w->active : 0;
    if (w->screened) {
        int64_t m = 0;
        for (int part = 0; part < 2; part++) {
            const struct segment *s = &w->segments[part * w->K + k];
            for (int64_t t = 0; t < s->n; t++)
                w->r_active[t] = w->r[w->listed[s->start + t]];
            wide_scale(w->y + s->start * ld, 0, s->n, ld, w->r_active, w->tmp + m * ld,
                       w->first + k * ld);
            m += s->n;
        }
        wide_sums(w->tmp, m, w->d, ld, w->second + k * ld * ld);
        return;
    }
    if (!w->stored) {
        wide_product(w->x, list, ROUND_UP(rows, TILE_ROWS), w->d, ld, ld, w->means + k * ld,
                     w->packed + k * wide_packed_size(w->d, ld), w->y, w->square);
        list = 0;
    }
    wide_scale(y, list, rows, ld, r, w->tmp, w->first + k * ld);
    wide_sums(w->tmp, rows, w->d, ld, w->second + k * ld * ld);
}

/* The tied scatter without a triangle per component: deviations of rows from their own
 * mean component, and products of responsibilities for the spread between components. */
static void tied_pairs(struct work *w, int64_t nv)
{
    int64_t K = w->K, d = w->d, B = w->stride, n = nv * VL;
    for (int64_t j = 0; j < d; j++)
        for (int64_t v = 0; v < n; v += VL)
            store(w->tmp2 + j * B + v, load(w->z + j * B + v) * load(w->weight + v));
    int64_t live = raw_shares(w, nv);
    raw_sums(w, w->tmp2, live, nv);
    axis_bar(w->z, B, d, w->means, w->log_p, B, w->some, live, nv, w->bar);
    if (w->wide) {
        columns_to_rows(w->bar, B, d, n, w->tmp, w->ld);
        wide_scale(w->tmp, 0, n, w->ld, w->weight, w->tmp, 0);
        wide_sums(w->tmp, n, w->d, w->ld, w->second);
    } else {
        narrow_table[d].sums(w->bar, B, w->weight, nv, w->second, w->spare);
    }
    if (K > NARROW_MAX) {
        columns_to_rows(w->log_p, B, K, n, w->tmp, w->pair_ld);
        wide_scale(w->tmp, 0, n, w->pair_ld, w->weight, w->tmp, 0);
        wide_sums(w->tmp, n, K, w->pair_ld, w->pair);
    } else {
        narrow_table[K].sums(w->log_p, B, w->weight, nv, w->pair, w->spare);
    }
}

/* The moments of component k over nv vectors of rows. */
static void component_moments(struct work *w, int64_t k, int64_t nv)
{
    int64_t rows = responsibilities(w, k, nv);
    if (!rows)
        return;
    if (w->form == FORM_DIAG || w->form == FORM_SPHERICAL)
        axis_moments(w->x, w->stride, w->d, w->means + k * w->d,
                     w->scale + k * w->d, w->r, nv, w->first + k * w->d * VL,
                     w->second + k * w->d * VL);
    else if (w->wide)
        wide_component(w, k, nv, rows);
    else
        narrow_component(w, k, nv, rows);
}

static void block_moments(struct work *w, int64_t nv)
{
    if (w->pairs) {
        tied_pairs(w, nv);
        return;
    }
    if (w->plainly && (w->form == FORM_DIAG || w->form == FORM_SPHERICAL))
        raw_sums(w, w->x, raw_shares(w, nv), nv);
    for (int64_t k = 0; k < w->K; k++)
        if (!w->raw[k])
            component_moments(w, k, nv);
}

/* Both triangles of one d x d matrix of sums. */
static void write_second(const struct work *w, int64_t k, double *out)
{
    int64_t d = w->d, ld = w->ld;
    for (int64_t j = 0; j < d; j++)
        for (int64_t l = 0; l <= j; l++) {
            double s = w->wide ? w->second[(k * ld + j) * ld + l]
                               : sum_lanes(load(w->second + (k * TRIANGLE(d) +
                                                             TRIANGLE(j) + l) * VL));
            out[j * d + l] = out[l * d + j] = s;
        }
}

static void add_pairs(const struct work *w, double *out)
{
    int64_t K = w->K, d = w->d;
    double *gap = w->tmp;
    for (int64_t k = 1; k < K; k++)
        for (int64_t h = 0; h < k; h++) {
            double s = K > NARROW_MAX ? w->pair[k * w->pair_ld + h]
                                      : sum_lanes(load(w->pair + (TRIANGLE(k) + h) * VL));
            if (s == 0.0)
                continue;
            for (int64_t j = 0; j < d; j++)
                gap[j] = w->means[k * d + j] - w->means[h * d + j];
            for (int64_t j = 0; j < d; j++)
                for (int64_t l = 0; l < d; l++)
                    out[j * d + l] += s * (gap[j] * gap[l]);
        }
}

static void finish(const struct work *w, struct mixtura_moments *out)
{
    int64_t K = w->K, d = w->d;
    int lanes = !(w->form == FORM_FULL && w->wide); /* first is kept lane by lane */
    out->loglik = sum_lanes(w->loglik);
    for (int64_t k = 0; k < K; k++) {
        out->count[k] = sum_lanes(load(w->count + k * VL));
        for (int64_t j = 0; j < d; j++)
            out->first[k * d + j] = lanes ? sum_lanes(load(w->first + (k * d + j) * VL))
                                          : w->first[k * w->ld + j];
    }
    if (w->form == FORM_FULL) {
        for (int64_t k = 0; k < K; k++)
            write_second(w, k, out->second + k * d * d);
    } else if (w->form == FORM_TIED) {
        write_second(w, 0, out->second);
        if (w->pairs)
            add_pairs(w, out->second);
    } else {
        for (int64_t k = 0; k < K; k++) {
            double total = 0.0;
            for (int64_t j = 0; j < d; j++) {
                double s = sum_lanes(load(w->second + (k * d + j) * VL));
                total += s;
                if (w->form == FORM_DIAG)
                    out->second[k * d + j] = s;
            }
            if (w->form == FORM_SPHERICAL)
                out->second[k] = total;
        }
    }
    add_raw(w, out);
}

#endif
