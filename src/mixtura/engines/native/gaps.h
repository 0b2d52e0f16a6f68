/* Passes over rows with missing cells, one group of rows that miss the same after the other.
 *
 * What is there of a row is Gaussian with some lines of the root, L_O = R Q: R is lower triangular,
 * and the lines of Q are orthonormal. So z = R^-1 (x_O - m_O) is the whitened row of a mixture of fewer
 * columns, and a pass over whole rows does for it. Given z, y = L^-1 (x - m) has the mean Q'z and the
 * covariance I - Q'Q (Little & Rubin 2019, section 11.2, in whitened coordinates). */
#ifndef MIXTURA_GAPS_H
#define MIXTURA_GAPS_H

#include "dense.h"
#include "pass.h"

enum { NOTHING_ROWS = 64 };
static const double nothing_there[NOTHING_ROWS];

/* The mixture of the m columns that are there, and its sums. */
struct seen {
    struct mixtura_model model;
    struct mixtura_moments sums;
    double *means, *whiten, *log_norm, *lines, *spare;
    int64_t *columns;
    int64_t m, copies;
};

static double *seen_carve(struct seen *s, char *base, int64_t K, int64_t d, int64_t *used)
{
    s->means = carve(base, used, K * d + 1);
    s->whiten = carve(base, used, K * d * d + 1);
    s->log_norm = carve(base, used, K);
    s->lines = carve(base, used, s->copies * d * d + 1);
    s->spare = carve(base, used, d * d);
    s->columns = (int64_t *)(void *)carve(base, used, d);
    s->sums.count = carve(base, used, K);
    s->sums.first = carve(base, used, K * d + 1);
    s->sums.second = carve(base, used, K * d * d + 1);
    return s->means;
}

static void *seen_open(struct seen *s, const struct mixtura_model *model, int64_t d)
{
    int64_t used = 0;
    s->copies = model->form == FORM_FULL ? model->K : model->form == FORM_TIED;
    seen_carve(s, 0, model->K, d, &used);
    char *memory = malloc((size_t)used + 64);
    if (memory) {
        used = 0;
        seen_carve(s, memory + (64 - (uintptr_t)memory % 64) % 64, model->K, d, &used);
    }
    return memory;
}

/* Lines of the root as R Q. Returns log det R; R is left in `r`. */
static double factor_lines(const double *root, const int64_t *columns, int64_t m, int64_t d,
                           double *q, double *r)
{
    double log_det = 0.0;
    for (int64_t j = 0; j < m; j++) {
        double *v = q + j * d, square = 0.0;
        for (int64_t l = 0; l < d; l++)
            v[l] = l <= columns[j] ? root[columns[j] * d + l] : 0.0;
        for (int64_t i = 0; i < m; i++)
            r[j * m + i] = 0.0;
        for (int twice = 0; twice < 2; twice++)
            for (int64_t i = 0; i < j; i++) {
                double c = 0.0;
                for (int64_t l = 0; l <= columns[i]; l++)
                    c += q[i * d + l] * v[l];
                r[j * m + i] += c;
                for (int64_t l = 0; l <= columns[i]; l++)
                    v[l] -= c * q[i * d + l];
            }
        for (int64_t l = 0; l <= columns[j]; l++)
            square += v[l] * v[l];
        r[j * m + j] = sqrt(square);
        for (int64_t l = 0; l <= columns[j]; l++)
            v[l] /= r[j * m + j];
        log_det += log(r[j * m + j]);
    }
    return log_det;
}

/* Whitening of what is there, in the shape of the form, and the densities at the means. */
static void whiten_seen(struct seen *s, const struct mixtura_gaps *g)
{
    const struct mixtura_model *model = g->model;
    int64_t K = model->K, d = g->d, m = s->m;
    double log_det = 0.0;
    for (int64_t k = 0; k < K; k++) {
        if (k < s->copies) {
            log_det = factor_lines(g->roots + k * d * d, s->columns, m, d, s->lines + k * m * d,
                                   s->spare);
            invert_lower(m, s->spare, s->whiten + k * m * m);
        }
        if (!s->copies) {
            log_det = 0.0;
            for (int64_t j = 0; j < m; j++) {
                int64_t at = model->form == FORM_DIAG ? k * d + s->columns[j] : k;
                s->whiten[model->form == FORM_DIAG ? k * m + j : k] = model->whiten[at];
                log_det -= log(model->whiten[at]);
            }
        }
        s->log_norm[k] = -0.5 * 1.8378770664093454836 * (double)m - log_det;
    }
}

/* The mixture of what is there of rows of group p. Where that is nothing, a column that tells
 * nothing stands for it, and where it is all, the mixture itself. */
static void see(struct seen *s, const struct mixtura_gaps *g, int64_t p)
{
    const struct mixtura_model *model = g->model;
    int64_t d = g->d;
    s->m = 0;
    for (int64_t j = 0; j < d; j++)
        if (g->seen[p * d + j])
            s->columns[s->m++] = j;
    s->model = *model;
    if (s->m == d)
        return;
    for (int64_t k = 0; k < model->K; k++)
        s->means[k] = s->whiten[k] = 0.0;
    for (int64_t k = 0; k < model->K; k++)
        for (int64_t j = 0; j < s->m; j++)
            s->means[k * s->m + j] = model->means[k * d + s->columns[j]];
    whiten_seen(s, g);
    s->model.means = s->means;
    s->model.whiten = s->whiten;
    s->model.log_norm = s->log_norm;
}

/* to += Q' (S - n I) Q + n I. */
static void add_expected(struct seen *s, const double *q, const double *second, double n, int64_t d,
                         double *to)
{
    int64_t m = s->m;
    double *product = s->spare;
    for (int64_t i = 0; i < m; i++)
        for (int64_t l = 0; l < d; l++) {
            double sum = -n * q[i * d + l];
            for (int64_t j = 0; j < m; j++)
                sum += second[i * m + j] * q[j * d + l];
            product[i * d + l] = sum;
        }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < d; j++)
            for (int64_t l = 0; l < d; l++)
                to[j * d + l] += q[i * d + j] * product[i * d + l];
    for (int64_t j = 0; j < d; j++)
        to[j * d + j] += n;
}

static void add_seen(struct seen *s, int64_t d, struct mixtura_moments *to)
{
    const struct mixtura_moments *from = &s->sums;
    int64_t K = s->model.K, m = s->m, form = s->model.form;
    double all = 0.0;
    to->loglik += from->loglik;
    for (int64_t k = 0; k < K; k++) {
        double n = from->count[k];
        const double *q = s->lines + (form == FORM_FULL ? k * m * d : 0);
        to->count[k] += n;
        all += n;
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < d; j++) {
                double part = !s->copies || m == d ? (double)(s->columns[i] == j) : q[i * d + j];
                to->first[k * d + j] += part * from->first[k * m + i];
            }
        if (form == FORM_SPHERICAL)
            to->second[k] += (m ? from->second[k] : 0.0) + n * (double)(d - m);
        for (int64_t j = 0, i = 0; form == FORM_DIAG && j < d; j++) {
            int there = i < m && s->columns[i] == j;
            to->second[k * d + j] += there ? from->second[k * m + i] : n;
            i += there;
        }
        if (form == FORM_FULL && m < d)
            add_expected(s, q, from->second + k * m * m, n, d, to->second + k * d * d);
    }
    if (form == FORM_TIED && m < d)
        add_expected(s, s->lines, from->second, all, d, to->second);
    for (int64_t i = 0; s->copies && m == d && i < s->copies * d * d; i++)
        to->second[i] += from->second[i];
}

INLINE void *shifted(void *out, int64_t rows, int64_t width, int64_t single)
{
    return out ? (char *)out + rows * width * (single ? 4 : 8) : 0;
}

/* The same answers from a later row on. */
static struct mixtura_rows answers_from(const struct mixtura_rows *out, int64_t row, int64_t K)
{
    struct mixtura_rows on = *out;
    on.log_density = shifted(out->log_density, row, 1, out->log_density_single);
    on.responsibilities = shifted(out->responsibilities, row, K, out->responsibilities_single);
    on.labels = out->labels ? out->labels + row : 0;
    on.component_log_density = shifted(out->component_log_density, row, K, out->component_single);
    return on;
}

static int gaps(const struct mixtura_gaps *g)
{
    struct seen s;
    int64_t K = g->model->K, row = 0, cell = 0, n;
    void *memory = seen_open(&s, g->model, g->d);
    int failed = !memory;
    for (int64_t p = 0; p < g->groups && !failed; p++) {
        see(&s, g, p);
        for (int64_t end = row + g->rows[p]; row < end && !failed; row += n, cell += n * s.m) {
            n = s.m ? end - row : LEAST(end - row, NOTHING_ROWS);
            struct mixtura_data data = {nothing_there, g->weight ? g->weight + row : 0, n,
                                        s.m ? s.m : 1, s.m && g->single};
            if (s.m)
                data.x = (const char *)g->x + cell * (g->single ? 4 : 8);
            if (g->sums) {
                failed = pass(&data, &s.model, &s.sums);
                if (!failed)
                    add_seen(&s, g->d, g->sums);
            } else {
                struct mixtura_rows on = answers_from(g->answers, row, K);
                failed = rows(&data, &s.model, &on);
            }
        }
    }
    free(memory);
    return failed;
}

#endif
