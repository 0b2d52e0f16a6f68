/* The pass in float32: twice the lanes, half the cache. One CPU variant, as in variant.c.
 *
 * The kernels are written once, for `double`; in this file the word means float from here to
 * the #undef, and so do the records that hold parameters and sums (float32's limits of range
 * and of digits are what differs in single_simd.h). Digits are saved where they are lost:
 * rows and means are taken relative to the mixture's mean, in double; component log norms
 * relative to the likeliest's; and sums are handed over to doubles every SINGLE_ROWS rows. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "single_simd.h"

struct single_model {
    const float *log_weights, *means, *whiten, *log_norm;
    int64_t K, form;
};

struct single_moments {
    float loglik, *count, *first, *second;
};

#define double float
#define mixtura_model single_model
#define mixtura_moments single_moments
#define ROWS_ONLY_DOUBLE
#include "pass.h"
#undef double
#undef mixtura_model
#undef mixtura_moments

#define SINGLE_ROWS 2048

/* The model about `centre`, whose log norms are those of the model less *top. */
static void single_of(const struct mixtura_model *m, int64_t d, const double *centre,
                      double top, int64_t size, float *log_weights, float *means, float *whiten,
                      float *log_norm)
{
    for (int64_t k = 0; k < m->K; k++) {
        log_weights[k] = (float)m->log_weights[k];
        log_norm[k] = (float)(m->log_norm[k] - top);
        for (int64_t j = 0; j < d; j++)
            means[k * d + j] = (float)(m->means[k * d + j] - centre[j]);
    }
    for (int64_t i = 0; i < size; i++)
        whiten[i] = (float)m->whiten[i];
}

static void centre_of(const struct mixtura_model *m, int64_t d, double *centre)
{
    for (int64_t j = 0; j < d; j++)
        centre[j] = m->means[j];
    for (int64_t k = 0; k < m->K; k++)
        for (int64_t j = 0; j < d; j++)
            centre[j] += exp(m->log_weights[k]) * (m->means[k * d + j] - m->means[j]);
}

static void add_to(double *restrict sum, const float *restrict part, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += (double)part[i];
}

static double weight_of(const struct mixtura_data *data, int64_t start, int64_t n)
{
    double sum = data->weight ? 0.0 : (double)n;
    for (int64_t i = start; data->weight && i < start + n; i++)
        sum += data->weight[i];
    return sum;
}

static void single_with(struct work *w, const struct mixtura_data *data,
                        const struct single_model *model, int64_t size, double top,
                        struct single_moments *part, struct mixtura_moments *out)
{
    int64_t K = model->K, d = data->d;
    for (int64_t i = 0; i < data->n; i += SINGLE_ROWS) {
        int64_t n = LEAST(SINGLE_ROWS, data->n - i);
        const char *x = (const char *)data->x + i * d * (data->single ? 4 : 8);
        struct mixtura_data rows = {x, data->weight ? data->weight + i : 0, n, d,
                                    data->single};
        pass_with(w, &rows, model, part);
        out->loglik += (double)part->loglik + top * weight_of(data, i, n);
        add_to(out->count, part->count, K);
        add_to(out->first, part->first, K * d);
        add_to(out->second, part->second, size);
    }
}

#define NAME_(v) mixtura_single_##v
#define NAME(v) NAME_(v)

/* As `pass`, in float32; sums come out as doubles. */
int NAME(MIXTURA_VARIANT)(const struct mixtura_data *data, const struct mixtura_model *model,
                          struct mixtura_moments *out)
{
    int64_t K = model->K, d = data->d, form = model->form;
    int64_t size = form == FORM_FULL   ? K * d * d
                   : form == FORM_TIED ? d * d
                   : form == FORM_DIAG ? K * d
                                       : K;
    struct work w;
    void *scratch = work_open(&w, K, d, form, 0);
    double *centre = calloc((size_t)d + VL, 8);
    float *memory = malloc((size_t)(3 * K + 2 * (K * d + size)) * 4);
    int failed = !scratch || !centre || !memory;
    if (!failed) {
        float *log_weights = memory, *log_norm = log_weights + K;
        float *means = log_norm + K, *whiten = means + K * d, *count = whiten + size;
        struct single_moments part = {0.0f, count, count + K, count + K + K * d};
        struct single_model single = {log_weights, means, whiten, log_norm, K, form};
        double top = model->log_norm[0];
        for (int64_t k = 1; k < K; k++)
            top = model->log_norm[k] > top ? model->log_norm[k] : top;
        if (data->single != 2) {
            centre_of(model, d, centre);
            w.origin = centre;
        }
        single_of(model, d, centre, top, size, log_weights, means, whiten, log_norm);
        out->loglik = 0.0;
        memset(out->count, 0, (size_t)K * 8);
        memset(out->first, 0, (size_t)(K * d) * 8);
        memset(out->second, 0, (size_t)size * 8);
        single_with(&w, data, &single, size, top, &part, out);
    }
    free(scratch);
    free(centre);
    free(memory);
    return failed;
}
