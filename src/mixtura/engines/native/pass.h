/* One EM pass over rows, and the per-row outputs. */
#ifndef MIXTURA_PASS_H
#define MIXTURA_PASS_H

#include "moments.h"
#ifndef ROWS_ONLY_DOUBLE
#include "sight.h"
#endif

/* The likeliest component of each row: exp(log_p - best) is 1 there and nowhere else. */
static void note_best(const struct work *w, int32_t *labels, const int32_t *rows, int64_t n)
{
    for (int64_t k = 0; k < w->K; k++) {
        const double *e = w->log_p + k * w->stride;
        for (int64_t v = 0; w->live[k] && v < n; v += VL)
            for (unsigned bits = not_below(load(e + v), splat(1.0 - 0x1p-53)); bits;
                 bits &= bits - 1) {
                int64_t i = v + __builtin_ctz(bits);
                if (i < n)
                    labels[rows ? rows[i] : i] = (int32_t)k;
            }
    }
}

/* The origin of a block: amid the means of an axis-aligned mixture, where all of them are near it.
 * Else rows are rounded by how far they are from it, and stay as they are. */
static void take_origin(struct work *w, const struct mixtura_model *model)
{
#ifndef ROWS_ONLY_DOUBLE
    int64_t d = w->d;
    int diag = w->form == FORM_DIAG, near = !w->held && (diag || w->form == FORM_SPHERICAL);
    for (int64_t j = 0; near && j < d; j++) {
        double sum = 0.0;
        for (int64_t k = 0; k < w->K; k++)
            sum += exp(model->log_weights[k]) * (model->means[k * d + j] - model->means[j]);
        double centre = w->centre[j] = model->means[j] + sum;
        for (int64_t k = 0; k < w->K; k++) {
            double whiten = model->whiten[diag ? k * d + j : k];
            near &= fabs((model->means[k * d + j] - centre) * whiten) <= RAW_FIRST;
        }
    }
    w->shifted = near;
    w->origin = near ? w->centre : 0;
#endif
}

/* The sums of all rows from `first` on are added. */
static void pass_rest(struct work *w, const struct mixtura_data *data, int64_t first)
{
    double heaviest = data->weight ? 0.0 : 1.0;
    for (int64_t i = 0; data->weight && i < data->n; i++)
        heaviest = data->weight[i] > heaviest ? data->weight[i] : heaviest;
    int pays = 0;
    int64_t blocks = 0, asked = 1, n;
    for (int64_t i = first; i < data->n; i += n) {
        /* Counts only grow, so what was negligible stays so: ask again now and then. */
        int ask = blocks++ == asked;
        if (ask) {
            asked *= 4;
            for (int64_t k = 0; k < w->K; k++)
                w->cut[k] = negligible(w, k, heaviest);
        }
        n = LEAST(w->screen && !pays ? WIDE_BLOCK : w->block, data->n - i);
        int64_t nv = w->held ? w->held : read_rows(w, data, i, n);
        w->screened = w->screen && (pays || ask) && screen_density(w, nv, &pays);
        if (!w->screened)
            block_density(w, nv);
        block_softmax(w, nv);
        if (w->labels)
            note_best(w, w->labels + i, 0, n);
        block_moments(w, nv);
    }
}

static void pass_once(struct work *w, const struct mixtura_data *data,
                      const struct mixtura_model *model, struct mixtura_moments *out)
{
    prepare(w, model, 1);
    w->unweighted = !data->weight;
    pass_rest(w, data, 0);
    finish(w, out);
}

#ifndef ROWS_ONLY_DOUBLE
/* The pass where rows beside each other lie near each other; returns 0 where it is not to be had.
 * Where the first blocks see nearly all components the others look at all. */
static int pass_near(struct work *w, const struct mixtura_data *data,
                     const struct mixtura_model *model, struct mixtura_moments *out)
{
    struct sight s;
    if (!sight_wanted(w, data))
        return 0;
    prepare(w, model, 1);
    w->unweighted = !data->weight;
    if (sight_open(&s, w))
        return 0;
    int64_t i = 0, blocks = 0, hidden = 0;
    while (i < data->n && (blocks != SIGHT_TRIED || hidden > SIGHT_WORTH * SIGHT_TRIED * w->K)) {
        int64_t n = LEAST(LEAST(w->block, SIGHT_ROWS), data->n - i), nv = read_rows(w, data, i, n);
        hidden += sight_block(w, &s, nv);
        block_density(w, nv);
        block_softmax(w, nv);
        block_moments(w, nv);
        i += n;
        blocks++;
    }
    free(s.memory);
    w->hiding = 0;
    for (int64_t k = 0; k < w->K; k++)
        w->cut[k] = EXP_LEAST;
    pass_rest(w, data, i);
    finish(w, out);
    return 1;
}
#endif

static void pass_with(struct work *w, const struct mixtura_data *data,
                      const struct mixtura_model *model, struct mixtura_moments *out)
{
#ifndef ROWS_ONLY_DOUBLE
    if (pass_near(w, data, model, out))
        return;
#endif
    take_origin(w, model);
    w->plainly = 1;
    pass_once(w, data, model, out);
    w->plainly = 0;
    if (!raw_holds(w, out))
        pass_once(w, data, model, out);
}

static int pass(const struct mixtura_data *data, const struct mixtura_model *model,
                struct mixtura_moments *out)
{
    struct work w;
    void *memory = work_open(&w, model->K, data->d, model->form, 0);
    if (!memory)
        return 1;
    pass_with(&w, data, model, out);
    free(memory);
    return 0;
}

#ifndef ROWS_ONLY_DOUBLE

/* The sums with given responsibilities, n x K, in place of the E-step's; no log-likelihood. */
static void pass_given(struct work *w, const struct mixtura_data *data,
                       const struct mixtura_model *model, const double *given,
                       struct mixtura_moments *out)
{
    int64_t K = w->K, n;
    prepare(w, model, 1);
    w->screened = 0;
    for (int64_t start = 0; start < data->n; start += n) {
        n = LEAST(w->screen ? WIDE_BLOCK : w->block, data->n - start);
        int64_t nv = read_rows(w, data, start, n);
        block_density(w, nv);
        for (int64_t k = 0; k < K; k++) {
            w->live[k] = 1;
            for (int64_t i = 0; i < nv * VL; i++)
                w->log_p[k * w->stride + i] = i < n ? given[(start + i) * K + k] : 0.0;
        }
        for (int64_t i = 0; i < nv * VL; i++)
            w->share[i] = w->form == FORM_TIED ? 1.0 : w->weight[i];
        block_moments(w, nv);
    }
    finish(w, out);
}

INLINE void put(void *out, int64_t single, int64_t at, double value)
{
    if (single)
        ((float *)out)[at] = (float)value;
    else
        ((double *)out)[at] = value;
}

/* Columns of the block, each divided by nothing or times scale, into rows of out. A scale of
 * 0 marks a row where no component has a density: its responsibilities are the weights. */
static void put_block(const struct work *w, void *out, int64_t single, int64_t start,
                      int64_t n, const double *scale)
{
    for (int64_t i = 0; i < n; i++) {
        int nowhere = scale && scale[i] == 0.0;
        for (int64_t k = 0; k < w->K; k++)
            put(out, single, (start + i) * w->K + k,
                nowhere ? exp(w->model->log_weights[k])
                        : w->log_p[k * w->stride + i] * (scale ? scale[i] : 1.0));
    }
}

/* Whitening a row far out may overflow to infinity minus infinity: no density there. */
static void drop_nan(struct work *w, int64_t nv)
{
    const vec none = splat(-__builtin_inf());
    for (int64_t v = 0; v < nv * VL; v += VL) {
        vec best = none;
        for (int64_t k = 0; k < w->K; k++) {
            vec p = load(w->log_p + k * w->stride + v);
            p = pick((ivec)(p == p), p, none);
            store(w->log_p + k * w->stride + v, p);
            best = vmax(best, p);
        }
        store(w->best + v, best);
    }
}

static void put_labels(const struct work *w, int64_t *labels, int64_t n, int64_t nv)
{
    /* Where no component has a density, the heaviest. */
    int64_t heaviest = 0;
    for (int64_t k = 1; k < w->K; k++)
        if (w->model->log_weights[k] > w->model->log_weights[heaviest])
            heaviest = k;
    for (int64_t v = 0; v < nv; v++) {
        vec best = splat(-__builtin_inf());
        ivec label = heaviest - (ivec){0};
        for (int64_t k = 0; k < w->K; k++) {
            vec p = load(w->log_p + k * w->stride + v * VL);
            ivec more = (ivec)(p > best);
            best = pick(more, p, best);
            label = (label & ~more) | (k & more);
        }
        for (int64_t t = 0; t < VL && v * VL + t < n; t++)
            labels[v * VL + t] = label[t];
    }
}

/* Log weights enter after the component densities have been written. */
static void add_log_weights(struct work *w, int64_t nv)
{
    for (int64_t v = 0; v < nv * VL; v += VL) {
        vec best = splat(-__builtin_inf());
        for (int64_t k = 0; k < w->K; k++) {
            vec p = load(w->log_p + k * w->stride + v) + w->model->log_weights[k];
            store(w->log_p + k * w->stride + v, p);
            best = vmax(best, p);
        }
        store(w->best + v, best);
    }
}

static int rows(const struct mixtura_data *data, const struct mixtura_model *model,
                const struct mixtura_rows *out)
{
    struct work w;
    void *memory = work_open(&w, model->K, data->d, model->form, 0);
    if (!memory)
        return 1;
    w.stored = 0;
    int weighted = !out->component_log_density;
    take_origin(&w, model);
    prepare(&w, model, weighted);
    for (int64_t i = 0; i < data->n; i += w.block) {
        int64_t n = LEAST(w.block, data->n - i);
        int64_t nv = read_rows(&w, data, i, n);
        block_density(&w, nv);
        drop_nan(&w, nv);
        if (!weighted) {
            put_block(&w, out->component_log_density, out->component_single, i, n, 0);
            add_log_weights(&w, nv);
        }
        if (out->labels)
            put_labels(&w, out->labels + i, n, nv);
        if (!out->log_density && !out->responsibilities)
            continue;
        block_softmax(&w, nv);
        for (int64_t t = 0; out->log_density && t < n; t++)
            put(out->log_density, out->log_density_single, i + t, w.log_density[t]);
        if (out->responsibilities)
            put_block(&w, out->responsibilities, out->responsibilities_single, i, n,
                      w.share);
    }
    free(memory);
    return 0;
}

#endif

#endif
