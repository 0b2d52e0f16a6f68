/* The truncated E-step: each row has responsibilities in a few components only.
 *
 * Truncated variational EM (Forster & Luecke 2018, Can clustering scale sublinearly with its
 * clusters?, AISTATS; Hirschberger, Forster & Luecke 2022, A variational EM acceleration for
 * efficient clustering at very large scales, IEEE TPAMI 44). A row looks at the components it
 * kept and at the neighbours of its best one, and keeps the best of all these. The sum of log
 * sum_kept exp(log_p) is a lower bound of the log-likelihood (the free energy); what a row
 * keeps is never worse than what it kept before, so a pass cannot lower it. */
#ifndef MIXTURA_TRUNCATE_H
#define MIXTURA_TRUNCATE_H

#include "prune.h"

#define KEEP_MAX 8
/* Kept components with a smaller share of the row, in logarithms, count as nothing. */
#define KEEP_CUT (-50.0)

/* What a truncated pass keeps beside the ordinary scratch. */
struct truncate {
    struct mixtura_kept *p;
    const struct mixtura_near *near;
    int32_t *order;   /* rows by best component */
    int32_t *labels;  /* n */
    int32_t *listed;  /* K: components that the block looks at */
    int32_t *seen;    /* K: whether one is listed */
};

/* The best `keep` of the listed components for VL rows: values in v, components in c. Among
 * equals the first listed is kept. */
INLINE void best_of(const struct work *w, const int32_t *listed, int64_t n, int64_t at,
                    const int keep, vec *v, ivec *c)
{
    UNROLL
    for (int q = 0; q < keep; q++) {
        v[q] = splat(-__builtin_inf());
        c[q] = (ivec){0} - 1;
    }
    for (int64_t t = 0; t < n; t++) {
        vec p = load(w->log_p + listed[t] * w->stride + at);
        ivec k = listed[t] - (ivec){0};
        UNROLL
        for (int q = 0; q < keep; q++) {
            ivec more = (ivec)(p > v[q]);
            vec lower = pick(more, v[q], p);
            ivec other = (c[q] & more) | (k & ~more);
            v[q] = pick(more, p, v[q]);
            c[q] = (k & more) | (c[q] & ~more);
            p = lower;
            k = other;
        }
    }
}

/* log_p of the listed components becomes exp(log_p - best) for VL rows, or 0 where a component
 * is not kept; c tells which are. */
INLINE void keep_vector(struct work *w, const int32_t *listed, int64_t n, int64_t at,
                        const int keep, ivec *c)
{
    const vec none = splat(-__builtin_inf()), zero = splat(0.0), cut = splat(KEEP_CUT);
    vec v[KEEP_MAX], total = {0};
    best_of(w, listed, n, at, keep, v, c);
    vec best = pick((ivec)(v[0] == none), zero, v[0]);
    for (int64_t t = 0; t < n; t++) {
        int64_t k = listed[t];
        double *e = w->log_p + k * w->stride + at;
        ivec mine = c[0] == k;
        UNROLL
        for (int q = 1; q < keep; q++)
            mine |= c[q] == k;
        vec x = pick(mine, load(e) - best, none);
        if (!not_below(x, cut)) {
            store(e, zero);
            continue;
        }
        vec p = exp_above(x, cut);
        w->live[k] = 1;
        total += p;
        store(e, p);
    }
    store(w->best + at, best);
    store(w->log_density + at, total);
}

/* Responsibilities and moments of a block whose log_p of the listed components are known.
 * What is kept goes to kept + rows[i] keep, or kept + i keep. */
static void keep_best(struct work *w, struct truncate *s, int64_t n, const int32_t *rows,
                      int64_t size, int32_t *kept)
{
    int64_t keep = s->p->keep, nv = (size + VL - 1) / VL;
    for (int64_t t = 0; t < n; t++)
        w->live[s->listed[t]] = 0;
    for (int64_t at = 0; at < nv * VL; at += VL) {
        ivec c[KEEP_MAX];
        switch (keep) { /* constants, so that the best stay in registers */
#define KEEP(q)                                                                            \
    case q:                                                                                \
        keep_vector(w, s->listed, n, at, q, c);                                            \
        break;
            KEEP(1) KEEP(2) KEEP(3) KEEP(4) KEEP(5) KEEP(6) KEEP(7)
        default:
            keep_vector(w, s->listed, n, at, KEEP_MAX, c);
        }
        for (int64_t l = 0; l < VL && at + l < size; l++) {
            int32_t *out = kept + (rows ? rows[at + l] : at + l) * keep;
            for (int64_t q = 0; q < keep; q++)
                out[q] = (int32_t)c[q][l];
        }
    }
    block_shares(w, nv);
    for (int64_t t = 0; t < n; t++)
        component_moments(w, s->listed[t], nv);
}

static int64_t list(struct truncate *s, int64_t n, int64_t k)
{
    if (k < 0 || s->seen[k])
        return n;
    s->seen[k] = 1;
    s->listed[n] = (int32_t)k;
    return n + 1;
}

/* One block of rows whose best component was g. */
static void truncate_block(struct work *w, struct truncate *s, const struct mixtura_data *data,
                           int64_t g, const int32_t *rows, int64_t size)
{
    int64_t keep = s->p->keep, n = list(s, 0, g);
    for (int64_t t = 0; t < s->near->length[g]; t++)
        n = list(s, n, s->near->index[g * s->near->limit + t]);
    for (int64_t i = 0; i < size; i++)
        for (int64_t q = 0; q < keep; q++)
            n = list(s, n, s->p->kept[rows[i] * keep + q]);
    int64_t nv = gather_rows(w, data, rows, size, g, w->x);
    const double *x = w->x;
    if (w->form == FORM_TIED) {
        narrow_table[w->d].product(w->x, w->stride, w->centre, w->model->whiten, nv, w->z);
        x = w->z;
    }
    for (int64_t t = 0; t < n; t++) {
        int64_t k = s->listed[t];
        s->seen[k] = 0;
        one_density(w, x, k, nv, w->log_p + k * w->stride);
    }
    s->p->evaluated += n * nv * VL;
    keep_best(w, s, n, rows, size, s->p->kept);
}

static void truncate_with(struct work *w, struct truncate *s, const struct mixtura_data *data,
                          int64_t *start)
{
    int64_t n = data->n, K = w->K, keep = s->p->keep, size;
    for (int64_t k = 0; k < K; k++) {
        s->seen[k] = 0;
        s->listed[k] = (int32_t)k;
    }
    for (int64_t i = 0; s->p->fresh && i < n; i += size) {
        size = LEAST(w->block, n - i);
        block_density(w, read_rows(w, data, i, size));
        s->p->evaluated += size * K;
        keep_best(w, s, K, 0, size, s->p->kept + i * keep);
    }
    if (s->p->fresh)
        return;
    for (int64_t i = 0; i < n; i++)
        s->labels[i] = s->p->kept[i * keep] < 0 ? 0 : s->p->kept[i * keep];
    sort_rows(s->labels, n, K, s->order, start);
    for (int64_t g = 0; g < K; g++)
        for (int64_t i = start[g]; i < start[g + 1]; i += PRUNE_ROWS)
            truncate_block(w, s, data, g, s->order + i, LEAST(PRUNE_ROWS, start[g + 1] - i));
}

static int truncated(const struct mixtura_data *data, const struct mixtura_model *model,
                     const struct mixtura_near *near, struct mixtura_kept *p,
                     struct mixtura_moments *out)
{
    int64_t n = data->n, K = model->K;
    struct work w;
    struct truncate s = {p, near, 0, 0, 0, 0};
    void *scratch = work_open(&w, K, data->d, model->form, PRUNE_ROWS);
    char *memory = malloc((size_t)(K + 1) * 8 + (size_t)(2 * n + 2 * K) * 4);
    if (scratch && memory) {
        int64_t *start = (int64_t *)(void *)memory;
        s.order = (int32_t *)(void *)(start + K + 1);
        s.labels = s.order + n;
        s.listed = s.labels + n;
        s.seen = s.listed + K;
        w.stored = 0;
        p->evaluated = 0;
        prepare(&w, model, 1);
        truncate_with(&w, &s, data, start);
        finish(&w, out);
    }
    free(scratch);
    free(memory);
    return !scratch || !memory;
}

#endif
