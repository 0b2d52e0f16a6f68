/* The pass for many components: a row looks only at the neighbours of its likeliest one.
 *
 * Rows are sorted by the component that was likeliest when they were last seen. Each group
 * works out that component, orders its rows by how far they are from it, and works out every
 * neighbour for those rows that are far enough to need it (near.h says which, and what the
 * rest can come to). Rows outside the cap, and groups with too many neighbours, are done
 * plainly at the end. Guesses decide only what is skipped: a wrong one costs time. */
#ifndef MIXTURA_PRUNE_H
#define MIXTURA_PRUNE_H

#include "near.h"
#include "pass.h"

#define PRUNE_ROWS 128 /* rows of one group in a block */
#define BUCKETS 64

/* The listed rows, by columns into x, and their weights; up to whole vectors, and in rows of
 * no weight, the mean of component k. Returns the number of vectors. */
INLINE int64_t gather_rows_as(struct work *w, const struct mixtura_data *data, const int single,
                              const int32_t *rows, int64_t n, int64_t k, double *restrict x)
{
    int64_t d = w->d, B = w->stride, padded = ROUND_UP(n, VL);
    const double *mean = w->model->means + k * d;
    for (int64_t i = 0; i < padded; i++) {
        double weight = i >= n ? 0.0 : data->weight ? data->weight[rows[i]] : 1.0;
        w->weight[i] = weight;
        if (weight == 0.0)
            for (int64_t j = 0; j < d; j++)
                x[i + j * B] = mean[j];
        else if (single)
            for (int64_t j = 0; j < d; j++)
                x[i + j * B] = (double)((const float *)data->x)[rows[i] * d + j];
        else
            for (int64_t j = 0; j < d; j++)
                x[i + j * B] = ((const double *)data->x)[rows[i] * d + j];
    }
    return padded / VL;
}

static int64_t gather_rows(struct work *w, const struct mixtura_data *data,
                           const int32_t *rows, int64_t n, int64_t k, double *x)
{
    return data->single ? gather_rows_as(w, data, 1, rows, n, k, x)
                        : gather_rows_as(w, data, 0, rows, n, k, x);
}

/* log_p of component k for nv vectors of rows (of whitened rows, when tied); raises best. */
static void one_density(struct work *w, const double *x, int64_t k, int64_t nv, double *log_p)
{
    const struct mixtura_model *m = w->model;
    int64_t d = w->d, B = w->stride;
    if (w->form == FORM_FULL)
        narrow_table[d].density_only(x, B, m->means + k * d, m->whiten + k * d * d, nv,
                                     w->shift[k], log_p, w->best);
    else
        axis_components(w, x, k, 1, nv, log_p);
}

/* What a pruned pass keeps beside the ordinary scratch. */
struct prune {
    const struct mixtura_prune *p;
    const struct mixtura_near *near;
    int32_t *order;           /* rows by guess */
    int32_t *rest;            /* rows to be done plainly */
    int32_t *chosen, *spans;  /* K: components looked at, and for how many vectors */
    double *cuts;             /* K: log shares of these that are negligible */
    int64_t rests, evaluated;
};

/* Orders the n rows of a block, whose own log densities are in log_p, from the farthest to
 * the nearest, in buckets of squared distance; upto[b] is how many lie in bucket b or beyond.
 * Rows beyond the cap, or whose distance is not a number, go to the rest. Returns how many
 * are left; from says where they were. */
static int64_t by_distance(struct work *w, struct prune *s, int64_t g, const int32_t *rows,
                           int64_t n, const double *log_p, int32_t *from, int64_t *upto)
{
    unsigned char bucket[PRUNE_ROWS];
    double cap2 = s->near->cap * s->near->cap, scale = BUCKETS / cap2;
    int64_t count[BUCKETS + 1] = {0}, left = 0;
    for (int64_t i = 0; i < n; i++) {
        double q = 2.0 * (w->shift[g] - log_p[i]);
        int64_t b = q < cap2 ? (int64_t)((q > 0.0 ? q : 0.0) * scale) : BUCKETS;
        bucket[i] = (unsigned char)LEAST(b, BUCKETS);
        count[bucket[i]]++;
        if (b >= BUCKETS)
            s->rest[s->rests++] = rows[i];
    }
    int64_t start[BUCKETS];
    for (int64_t b = BUCKETS - 1; b >= 0; b--) {
        start[b] = left;
        left += count[b];
        upto[b] = left;
    }
    for (int64_t i = 0; i < n; i++)
        if (bucket[i] < BUCKETS)
            from[start[bucket[i]]++] = (int32_t)i;
    return left;
}

/* Columns of x and the weights in the new order. */
static void reorder(struct work *w, const double *restrict x, const int32_t *restrict from,
                    int64_t n, int64_t g, double *restrict out)
{
    int64_t d = w->d, B = w->stride, padded = ROUND_UP(n, VL);
    double weight[PRUNE_ROWS];
    for (int64_t i = 0; i < n; i++)
        weight[i] = w->weight[from[i]];
    for (int64_t i = 0; i < padded; i++)
        w->weight[i] = i < n ? weight[i] : 0.0;
    for (int64_t j = 0; j < d; j++) {
        for (int64_t i = 0; i < n; i++)
            out[j * B + i] = x[j * B + from[i]];
        for (int64_t i = n; i < padded; i++)
            out[j * B + i] = w->model->means[g * d + j];
    }
}

/* The components that a block must look at, with their log densities. Component g is first;
 * upto tells how many rows lie at a distance or beyond. Returns their number. */
static int64_t look_around(struct work *w, struct prune *s, int64_t g, int64_t nv,
                           const int64_t *upto)
{
    const struct mixtura_near *near = s->near;
    const int32_t *index = near->index + g * near->limit;
    const double *radius2 = near->radius2 + g * near->limit;
    const double *log_weights = w->model->log_weights;
    const double *x = w->form == FORM_TIED ? w->z : w->x;
    double cap2 = near->cap * near->cap, scale = BUCKETS / cap2;
    if (w->form == FORM_TIED)
        narrow_table[w->d].product(w->x, w->stride, w->centre, w->model->whiten, nv, w->z);
    for (int64_t v = 0; v < nv; v++)
        store(w->best + v * VL, splat(-__builtin_inf()));
    s->chosen[0] = (int32_t)g;
    s->spans[0] = (int32_t)nv;
    s->cuts[0] = EXP_LEAST;
    one_density(w, x, g, nv, w->log_p + g * w->stride);
    s->evaluated += nv * VL;
    int64_t n = 1;
    for (int64_t t = 0; t < near->length[g]; t++) {
        double q = radius2[t];
        int64_t b = q > 0.0 ? (int64_t)(q * scale) : 0, rows = upto[LEAST(b, BUCKETS - 1)];
        if (!rows)
            break;
        int64_t h = index[t], span = (rows + VL - 1) / VL;
        /* (1 + |y|^2) exp(-u) <= exp(-T), for shares of exp(-u) and |y|^2 <= 2 (u + A). */
        double A = w->shift[h] - w->shift[g] + 0.5 * cap2, T = skip_below(log_weights[h]);
        double cut = -(T + 1.0 + log(1.0 + 2.0 * (A > 0.0 ? A : 0.0) + 2.0 * T));
        s->chosen[n] = (int32_t)h;
        s->spans[n] = (int32_t)span;
        s->cuts[n++] = cut > EXP_LEAST ? cut : EXP_LEAST;
        one_density(w, x, h, span, w->log_p + h * w->stride);
        s->evaluated += span * VL;
    }
    return n;
}

/* block_softmax over the chosen components. Rows whose likeliest component is another than
 * g are told to labels. */
static void chosen_softmax(struct work *w, const struct prune *s, int64_t chosen, int64_t nv,
                           const int32_t *rows, const int32_t *from, int64_t n)
{
    double *total = w->log_density;
    for (int64_t v = 0; v < nv; v++)
        store(total + v * VL, splat(0.0));
    for (int64_t t = 0; t < chosen; t++) {
        int64_t k = s->chosen[t];
        double *e = w->log_p + k * w->stride;
        vec cut = splat(s->cuts[t]);
        int live = 0;
        for (int64_t v = 0; v < s->spans[t] * VL; v += VL) {
            vec x = load(e + v) - load(w->best + v);
            if (!not_below(x, cut)) {
                store(e + v, splat(0.0));
                continue;
            }
            vec p = exp_above(x, cut);
            live = 1;
            store(e + v, p);
            store(total + v, load(total + v) + p);
            for (unsigned bits = t ? not_below(x, splat(-0x1p-1000)) : 0; bits;
                 bits &= bits - 1) {
                int64_t i = v + __builtin_ctz(bits);
                if (i < n)
                    s->p->labels[rows[from[i]]] = (int32_t)k;
            }
        }
        w->live[k] = live;
    }
    block_shares(w, nv);
}

/* One block of rows whose guess is g. */
static void prune_block(struct work *w, struct prune *s, const struct mixtura_data *data,
                        int64_t g, const int32_t *rows, int64_t n)
{
    int32_t from[PRUNE_ROWS];
    int64_t upto[BUCKETS];
    int64_t nv = gather_rows(w, data, rows, n, g, w->tmp);
    const double *x = w->tmp;
    if (w->form == FORM_TIED) {
        narrow_table[w->d].product(x, w->stride, w->centre, w->model->whiten, nv, w->z);
        x = w->z;
    }
    one_density(w, x, g, nv, w->r);
    n = by_distance(w, s, g, rows, n, w->r, from, upto);
    if (!n)
        return;
    reorder(w, w->tmp, from, n, g, w->x);
    nv = (n + VL - 1) / VL;
    int64_t chosen = look_around(w, s, g, nv, upto);
    chosen_softmax(w, s, chosen, nv, rows, from, n);
    for (int64_t t = 0; t < chosen; t++)
        component_moments(w, s->chosen[t], s->spans[t]);
}

/* Rows that no bound helps with: every component, as in the plain pass. */
static void prune_rest(struct work *w, struct prune *s, const struct mixtura_data *data,
                       double heaviest)
{
    for (int64_t k = 0; k < w->K; k++)
        w->cut[k] = negligible(w, k, heaviest);
    int64_t n;
    for (int64_t i = 0; i < s->rests; i += n) {
        n = LEAST(w->block, s->rests - i);
        int64_t nv = gather_rows(w, data, s->rest + i, n, 0, w->x);
        block_density(w, nv);
        block_softmax(w, nv);
        note_best(w, s->p->labels, s->rest + i, n);
        block_moments(w, nv);
        s->evaluated += nv * VL * w->K;
    }
}

/* Rows by guess: start[g] is where the rows guessed g begin in order. */
static void sort_rows(const int32_t *labels, int64_t n, int64_t K, int32_t *order,
                      int64_t *start)
{
    for (int64_t g = 0; g <= K; g++)
        start[g] = 0;
    for (int64_t i = 0; i < n; i++)
        start[labels[i] + 1]++;
    for (int64_t g = 0; g < K; g++)
        start[g + 1] += start[g];
    for (int64_t i = 0; i < n; i++)
        order[start[labels[i]]++] = (int32_t)i;
    for (int64_t g = K; g > 0; g--)
        start[g] = start[g - 1];
    start[0] = 0;
}

static void prune_with(struct work *w, struct prune *s, const struct mixtura_data *data,
                       int64_t *start)
{
    double heaviest = data->weight ? 0.0 : 1.0;
    for (int64_t i = 0; data->weight && i < data->n; i++)
        heaviest = data->weight[i] > heaviest ? data->weight[i] : heaviest;
    sort_rows(s->p->labels, data->n, w->K, s->order, start);
    for (int64_t g = 0; g < w->K; g++) {
        if (s->near->length[g] < 0) {
            for (int64_t i = start[g]; i < start[g + 1]; i++)
                s->rest[s->rests++] = s->order[i];
            continue;
        }
        for (int64_t i = start[g]; i < start[g + 1]; i += PRUNE_ROWS)
            prune_block(w, s, data, g, s->order + i, LEAST(PRUNE_ROWS, start[g + 1] - i));
    }
    prune_rest(w, s, data, heaviest);
}

/* Moments as from `pass`. p->labels are guesses, and become the likeliest components. */
static int pruned(const struct mixtura_data *data, const struct mixtura_model *model,
                  const struct mixtura_near *near, struct mixtura_prune *p,
                  struct mixtura_moments *out)
{
    int64_t n = data->n, K = model->K;
    struct work w;
    struct prune s = {p, near, 0, 0, 0, 0, 0, 0, 0};
    void *scratch = work_open(&w, K, data->d, model->form, PRUNE_ROWS);
    char *memory = malloc((size_t)(2 * n + 2 * K) * 4 + (size_t)(2 * K + 1) * 8);
    if (scratch && memory) {
        int64_t *start = (int64_t *)(void *)memory;
        s.cuts = (double *)(void *)(start + K + 1);
        s.order = (int32_t *)(void *)(s.cuts + K);
        s.rest = s.order + n;
        s.chosen = s.rest + n;
        s.spans = s.chosen + K;
        w.stored = 0;
        prepare(&w, model, 1);
        prune_with(&w, &s, data, start);
        finish(&w, out);
        p->evaluated = s.evaluated;
        p->plain = s.rests;
    }
    free(scratch);
    free(memory);
    return !scratch || !memory;
}

/* The plain pass, which also leaves the likeliest components in p->labels. */
static int labelled(const struct mixtura_data *data, const struct mixtura_model *model,
                    struct mixtura_prune *p, struct mixtura_moments *out)
{
    struct work w;
    void *memory = work_open(&w, model->K, data->d, model->form, 0);
    if (!memory)
        return 1;
    w.labels = p->labels;
    for (int64_t i = 0; i < data->n; i++)
        p->labels[i] = 0;
    pass_with(&w, data, model, out);
    p->evaluated = data->n * model->K;
    p->plain = data->n;
    free(memory);
    return 0;
}

#endif
