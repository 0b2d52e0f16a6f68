/* Components of a mixture removed one at a time, the heirs of each fitted anew to all rows that they and
 * it hold; see fitting/removals.py. */
#ifndef MIXTURA_REMOVALS_H
#define MIXTURA_REMOVALS_H

#include "partial.h"

/* Components removed, each with its heirs fitted anew. `em` is that of equal components,
 * as many as the heirs at most, that lend their units. */
struct mixtura_removals {
    struct mixtura_em em;
    const struct mixtura_data *data;
    const double *shares;    /* K x n, as in partial.h */
    const double *log_joint; /* n x K */
    int64_t K;
    const int64_t *sets; /* n_sets x (1 + heirs): the component, its heirs, -1 past the last */
    int64_t n_sets, heirs;
    int64_t steps;
    double least;
    double *cost; /* out, n_sets: in nats; inf where the heirs fail */
    struct mixtura_ends ends; /* out: the heirs */
};

/* Of row i of a set, whose components hold `share` of it: what they are worth there, as they are; and
 * into resp what the heirs hold without the component that comes first. */
static double heirs_shares(const struct mixtura_removals *r, const int64_t *set, int64_t heirs,
                           int64_t i, double share, double *resp)
{
    int64_t n = r->data->n;
    const double *joint = r->log_joint + i * r->K, *shares = r->shares + i;
    int64_t top = 0, most = 1;
    double total = 0.0;
    for (int64_t j = 1; j <= heirs; j++) {
        top = shares[set[j] * n] > shares[set[top] * n] ? j : top;
        most = joint[set[j]] > joint[set[most]] ? j : most;
    }
    if (!isfinite(joint[set[most]])) {
        for (int64_t j = 0; j < heirs; j++)
            resp[j] = 1.0 / (double)heirs;
    } else {
        /* Shares that are mostly the component's have lost the heirs' digits. */
        int faint = !(share - shares[set[0] * n] > 1e-3 * share);
        for (int64_t j = 0; j < heirs; j++) {
            int64_t k = set[j + 1];
            resp[j] = faint ? exp(joint[k] - joint[set[most]]) : shares[k * n];
            total += resp[j];
        }
        for (int64_t j = 0; j < heirs; j++)
            resp[j] /= total;
    }
    return joint[set[top]] + log(share / shares[set[top] * n]);
}

/* Set number s, of a table of this weight. Returns 1 without memory. */
static int removal(struct mixtura_removals *r, int64_t s, double weight, const struct aside *units,
                   struct held_rows *h)
{
    const int64_t *set = r->sets + s * (1 + r->heirs);
    const double *w = r->data->weight;
    int64_t heirs = 0, d = r->data->d;
    double now = 0.0, value, gain;
    while (heirs < r->heirs && set[1 + heirs] >= 0)
        heirs++;
    r->cost[s] = 0.0;
    gather_set(r->data, r->shares, r->least, set, 1 + heirs, h);
    if (h->data.n < 2)
        return 0;
    for (int64_t m = 0; m < h->data.n; m++) {
        int64_t i = h->which[m];
        double share = h->weight[m] / (w ? w[i] : 1.0);
        if (h->weight[m] > 0.0)
            now += h->weight[m] * heirs_shares(r, set, heirs, i, share, h->resp + m * heirs);
        else
            for (int64_t j = 0; j < heirs; j++)
                h->resp[m * heirs + j] = 1.0 / (double)heirs;
    }
    double all = 0.0;
    for (int64_t j = 0; j <= heirs; j++)
        for (int64_t i = 0; i < r->data->n; i++)
            all += (w ? w[i] : 1.0) * r->shares[set[j] * r->data->n + i];
    now -= h->mass * log(all / weight);
    if (fit_set(h, &r->em, units, heirs, r->steps, &value, &gain))
        return 1;
    r->cost[s] = now - value;
    note_end(&r->em, r->heirs, d, &r->ends, s);
    return 0;
}

static int removals(struct mixtura_removals *r)
{
    const struct mixtura_data *data = r->data;
    int64_t n = data->n, d = data->d, M = r->heirs, C = covariance_size(r->em.form, M, d);
    double *memory = malloc((size_t)(M + M * d + C + n * (2 + (M > 1 ? M : 1))) * 8), weight = 0.0;
    char *x = malloc((size_t)(n * d) * (data->single ? 4 : 8));
    int out = !memory || !x;
    for (int64_t i = 0; i < n; i++)
        weight += data->weight ? data->weight[i] : 1.0;
    if (!out) {
        double *at = memory;
        struct aside units = {take(&at, M), take(&at, M * d), take(&at, C)};
        struct held_rows h = {*data, (int64_t *)take(&at, n), take(&at, n), at, 0, 0.0, x};
        r->em.K = M;
        lay_aside(&r->em, d, C, &units);
        for (int64_t s = 0; s < r->n_sets && !out; s++)
            out = removal(r, s, weight, &units, &h);
    }
    free(memory);
    free(x);
    return out;
}

#endif
