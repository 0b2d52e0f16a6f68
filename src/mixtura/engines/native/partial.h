/* Partial EM: each of many sets of one or two components fitted anew to the rows that it holds.
 *
 * A row counts with its weight times the set's share of it; see fitting/partial.py. A set is worth what
 * its components, one component, and the best of some fresh pairs make of those rows. */
#ifndef MIXTURA_PARTIAL_H
#define MIXTURA_PARTIAL_H

#include "contest.h"

/* How the rows of a set are split in two: across their longest axis or one given, or what is near a
 * row drawn, far ones rather, is parted from the rest. */
enum { PART_LONGEST, PART_ACROSS, PART_FAR, PART_ANY };

/* Where climbs of several mixtures of as many components ended: parameters and sums, one after the
 * other. */
struct mixtura_ends {
    double *weights, *means, *roots;
    double *count, *first, *second;
};

/* Sets of one or two components of a mixture, each fitted anew to the rows it holds. `em`
 * is that of two equal components that lend their units. */
struct mixtura_partial {
    struct mixtura_em em;
    const double *shares; /* K x n: the responsibilities, without the rows' weights */
    const double *places; /* frames x n x q: where rows lie, free of units */
    int64_t q;
    const int64_t *sets; /* n_sets x 2: components, the second -1 in a set of one */
    int64_t n_sets;
    /* n_sets x tries x (4 + q): kind, frame, uniform number, share claimed, direction. */
    const double *asked;
    int64_t tries;
    int64_t first, steps; /* EM steps of every try, and of the one that promises most after those */
    double least;  /* share of a row below which it is left out */
    /* out, n_sets each: rows held, and log-likelihoods of the set as it is, of one component, and of
     * the best pair, -inf where there is none; that pair, and the set as it is. */
    int64_t *held;
    double *before, *merged, *after;
    struct mixtura_ends pair, now;
};

/* The rows of a set: which, a copy of them, their weights, and room for responsibilities. */
struct held_rows {
    struct mixtura_data data;
    int64_t *which;
    double *weight, *resp, *order, mass;
    char *x;
};

/* A set has at most so many components; -1 stands for none. */
static void gather_set(const struct mixtura_data *data, const double *shares, double least,
                       const int64_t *set, int64_t most, struct held_rows *h)
{
    int64_t n = data->n, d = data->d, m = 0;
    size_t size = (size_t)d * (data->single ? 4 : 8);
    double *sums = h->resp;
    memcpy(sums, shares + set[0] * n, (size_t)n * 8);
    for (int64_t j = 1; j < most && set[j] >= 0; j++)
        for (int64_t i = 0; i < n; i++)
            sums[i] += shares[set[j] * n + i];
    h->mass = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double share = sums[i];
        if (share <= least)
            continue;
        memcpy(h->x + (size_t)m * size, (const char *)data->x + (size_t)i * size, size);
        h->weight[m] = share * (data->weight ? data->weight[i] : 1.0);
        h->mass += h->weight[m];
        h->which[m++] = i;
    }
    h->data = (struct mixtura_data){h->x, h->weight, m, d, data->single};
}

/* The gain of a step, per unit of weight, after which no further are taken: where rows are few EM parts
 * them for good after a step or two. */
static const double AT_REST = 1e-8;

/* Where e stands is end number s of mixtures of K components. */
static void note_end(const struct mixtura_em *e, int64_t K, int64_t d, const struct mixtura_ends *to,
                     int64_t s)
{
    int64_t C = covariance_size(e->form, K, d);
    struct aside at = {to->weights + s * K, to->means + s * K * d, to->roots + s * C};
    lay_aside(e, d, covariance_size(e->form, e->K, d), &at);
    memcpy(to->count + s * K, e->sums.count, (size_t)e->K * 8);
    memcpy(to->first + s * K * d, e->sums.first, (size_t)(e->K * d) * 8);
    memcpy(to->second + s * C, e->sums.second, (size_t)covariance_size(e->form, e->K, d) * 8);
}

/* So many steps at most from where e stands, by responsibilities m x K where those are `given`: the
 * log-likelihood, -inf where a component failed, and what the last step gained. Returns 1 without
 * memory. */
static int steps_of(const struct held_rows *h, struct mixtura_em *e, const double *given,
                    int64_t steps, double *value, double *gain)
{
    *value = -HUGE_VAL;
    *gain = 0.0;
    e->given = given;
    e->passes = steps;
    e->rest = AT_REST * h->mass;
    int out = em(&h->data, e);
    e->given = 0;
    if (out || e->failed >= 0 || !isfinite(e->logliks[e->done - 1]))
        return out;
    *value = e->logliks[e->done - 1];
    if (e->done > 1 && isfinite(e->logliks[e->done - 2]))
        *gain = *value - e->logliks[e->done - 2];
    return 0;
}

/* The same of K components from h->resp, in the units of `units`. */
static int fit_set(const struct held_rows *h, struct mixtura_em *e, const struct aside *units,
                   int64_t K, int64_t steps, double *value, double *gain)
{
    e->K = K;
    take_up(e, h->data.d, covariance_size(e->form, K, h->data.d), units);
    for (int64_t k = 0; k < K; k++)
        e->weights[k] = 1.0 / (double)K;
    return steps_of(h, e, h->resp, steps, value, gain);
}

struct ranked {
    double at;
    int64_t row;
};

static int nearer(const struct ranked *one, const struct ranked *two)
{
    return one->at < two->at || (one->at == two->at && one->row < two->row);
}

static void exchange_ranked(struct ranked *one, struct ranked *two)
{
    struct ranked kept = *one;
    *one = *two;
    *two = kept;
}

/* How many of m rows are claimed: the nearest `fewest`, and further ones while those before them weigh
 * less than `claim`. They come first in `order`, which is not sorted otherwise. */
static int64_t claimed(struct ranked *order, const double *weight, int64_t m, int64_t fewest,
                       double claim)
{
    /* Those before `low` are claimed, those from `high` on are not. */
    int64_t low = 0, high = m;
    double before = 0.0;
    while (low < high) {
        int64_t middle = low + (high - low) / 2, last = high - 1, less = low;
        if (nearer(order + middle, order + low))
            exchange_ranked(order + middle, order + low);
        if (nearer(order + last, order + middle))
            exchange_ranked(order + last, order + middle);
        if (nearer(order + middle, order + low))
            exchange_ranked(order + middle, order + low);
        exchange_ranked(order + middle, order + last);
        double mass = 0.0;
        for (int64_t r = low; r < last; r++)
            if (nearer(order + r, order + last)) {
                mass += weight[order[r].row];
                exchange_ranked(order + r, order + less++);
            }
        exchange_ranked(order + less, order + last);
        if (less < fewest || before + mass < claim) {
            before += mass + weight[order[less].row];
            low = less + 1;
        } else {
            high = less;
        }
    }
    return low;
}

/* The row that a number uniform on [0, 1) draws in proportion to mass (m,). */
static int64_t drawn_row(const double *mass, int64_t m, double uniform)
{
    double total = 0.0, upto = 0.0;
    for (int64_t i = 0; i < m; i++)
        total += mass[i];
    for (int64_t i = 0; i < m; i++) {
        upto += mass[i];
        if (upto > uniform * total)
            return i;
    }
    return m - 1;
}

/* With more columns the longest axis is approached by the power method. */
enum { AXIS_MOST = 32, AXIS_TURNS = 30 };

/* axis (q): along which the rows of a set vary most. tmp holds q, and 2 q^2 + q up to AXIS_MOST. */
static void longest_of(const struct held_rows *h, const double *places, const double *mean,
                       int64_t q, double *axis, double *z, double *tmp)
{
    int64_t m = h->data.n, farthest = 0;
    double *scatter = tmp, *axes = tmp + q * q, *values = axes + q * q, most = -1.0;
    int exact = q <= AXIS_MOST;
    if (exact)
        memset(scatter, 0, (size_t)(q * q) * 8);
    for (int64_t i = 0; i < m; i++) {
        double far = 0.0;
        for (int64_t j = 0; j < q; j++) {
            z[j] = places[h->which[i] * q + j] - mean[j];
            far += h->weight[i] * z[j] * z[j];
        }
        for (int64_t j = 0; exact && j < q; j++)
            for (int64_t l = 0; l < q; l++)
                scatter[j * q + l] += h->weight[i] * z[j] * z[l];
        if (far > most) {
            most = far;
            farthest = i;
        }
    }
    if (exact) {
        jacobi(q, scatter, values, axes);
        for (int64_t j = 0; j < q; j++)
            axis[j] = axes[j * q + q - 1];
        return;
    }
    for (int64_t j = 0; j < q; j++)
        axis[j] = places[h->which[farthest] * q + j] - mean[j];
    for (int turn = 0; turn < AXIS_TURNS; turn++) {
        double *next = tmp, length = 0.0;
        memset(next, 0, (size_t)q * 8);
        for (int64_t i = 0; i < m; i++) {
            double along = 0.0;
            for (int64_t j = 0; j < q; j++)
                along += (places[h->which[i] * q + j] - mean[j]) * axis[j];
            along *= h->weight[i];
            for (int64_t j = 0; j < q; j++)
                next[j] += along * (places[h->which[i] * q + j] - mean[j]);
        }
        for (int64_t j = 0; j < q; j++)
            length += next[j] * next[j];
        length = sqrt(length);
        for (int64_t j = 0; j < q; j++)
            axis[j] = next[j] / (length > 0.0 ? length : 1.0);
    }
}

/* Splits the rows of a set in two as one try asks: h->resp, m x 2. tmp holds `part_room`. */
static void part_set(const struct mixtura_partial *p, const double *asked, struct held_rows *h,
                     int64_t n, double *tmp)
{
    int64_t m = h->data.n, q = p->q;
    const double *places = p->places + (int64_t)asked[1] * n * q;
    double *mean = tmp, *axis = mean + q, *z = axis + q;
    struct ranked *order = (struct ranked *)h->order;
    memset(mean, 0, (size_t)q * 8);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < q; j++)
            mean[j] += h->weight[i] * places[h->which[i] * q + j];
    }
    for (int64_t j = 0; j < q; j++)
        mean[j] /= h->mass;
    int kind = (int)asked[0];
    const double *along = asked + 4;
    if (kind == PART_LONGEST)
        longest_of(h, places, mean, q, axis, z, z + q);
    if (kind == PART_LONGEST || kind == PART_ACROSS) {
        for (int64_t i = 0; i < m; i++) {
            double sum = 0.0;
            for (int64_t j = 0; j < q; j++)
                sum += (places[h->which[i] * q + j] - mean[j]) *
                       (kind == PART_LONGEST ? axis[j] : along[j]);
            h->resp[2 * i] = sum > 0.0;
            h->resp[2 * i + 1] = !(sum > 0.0);
        }
        return;
    }
    double *chance = h->resp;
    for (int64_t i = 0; i < m; i++) {
        double far = 0.0;
        for (int64_t j = 0; j < q; j++) {
            double by = places[h->which[i] * q + j] - mean[j];
            far += by * by;
        }
        chance[i] = h->weight[i] * (kind == PART_FAR ? far : 1.0);
    }
    const double *seed = places + h->which[drawn_row(chance, m, asked[2])] * q;
    for (int64_t i = 0; i < m; i++) {
        double far = 0.0;
        for (int64_t j = 0; j < q; j++) {
            double by = places[h->which[i] * q + j] - seed[j];
            far += by * by;
        }
        order[i] = (struct ranked){far, i};
    }
    int64_t some = claimed(order, h->weight, m, LEAST(q + 1, m), asked[3] * h->mass);
    for (int64_t r = 0; r < m; r++) {
        h->resp[2 * order[r].row] = r < some;
        h->resp[2 * order[r].row + 1] = r >= some;
    }
}

static int64_t part_room(int64_t q)
{
    return 4 * q + (q <= AXIS_MOST ? 2 * q * q : 0);
}

/* The tries of set number s: the first steps of each, and all of the one that promises most then, as if
 * its last gain went on: slow ones often lead higher. Returns 1 without memory. */
static int best_try(const struct mixtura_data *data, struct mixtura_partial *p, int64_t s,
                    const struct aside *units, struct held_rows *h, double *tmp)
{
    struct mixtura_em *e = &p->em;
    int64_t d = data->d, C = covariance_size(e->form, 2, d), left = p->steps - p->first;
    struct aside best = {p->pair.weights + 2 * s, p->pair.means + 2 * d * s, p->pair.roots + C * s};
    double *value = p->after + s, reached, gain, most = -HUGE_VAL;
    for (int64_t t = 0; t < p->tries; t++) {
        part_set(p, p->asked + (s * p->tries + t) * (4 + p->q), h, data->n, tmp);
        if (fit_set(h, e, units, 2, p->first, &reached, &gain))
            return 1;
        if (reached + (double)left * gain > most) {
            most = reached + (double)left * gain;
            *value = reached;
            note_end(e, 2, d, &p->pair, s);
        }
    }
    if (left <= 0 || most == -HUGE_VAL)
        return 0;
    take_up(e, d, C, &best);
    if (steps_of(h, e, 0, left, &reached, &gain))
        return 1;
    /* Where it fails on its way, what it had reached counts. */
    if (reached > -HUGE_VAL) {
        *value = reached;
        note_end(e, 2, d, &p->pair, s);
    }
    return 0;
}

/* One set, number s. Returns 1 without memory. */
static int refit(const struct mixtura_data *data, struct mixtura_partial *p, int64_t s,
                 const struct aside *units, struct held_rows *h, double *tmp)
{
    struct mixtura_em *e = &p->em;
    const int64_t *set = p->sets + 2 * s;
    int64_t n = data->n, two = set[1] >= 0;
    double gain;
    p->before[s] = p->merged[s] = p->after[s] = -HUGE_VAL;
    gather_set(data, p->shares, p->least, set, 2, h);
    int64_t m = h->data.n;
    p->held[s] = m;
    if (m < 2)
        return 0;
    for (int64_t i = 0; i < m; i++)
        h->resp[i] = 1.0;
    if (fit_set(h, e, units, 1, 1, p->merged + s, &gain))
        return 1;
    p->before[s] = p->merged[s];
    if (two) {
        for (int64_t i = 0; i < m; i++) {
            double one = p->shares[set[0] * n + h->which[i]];
            double other = p->shares[set[1] * n + h->which[i]];
            h->resp[2 * i] = one / (one + other);
            h->resp[2 * i + 1] = other / (one + other);
        }
        if (fit_set(h, e, units, 2, 1, p->before + s, &gain))
            return 1;
    }
    note_end(e, 2, data->d, &p->now, s);
    return best_try(data, p, s, units, h, tmp);
}

static int partial(const struct mixtura_data *data, struct mixtura_partial *p)
{
    int64_t n = data->n, d = data->d, q = p->q, C = covariance_size(p->em.form, 2, d);
    double *memory = malloc((size_t)(2 + 2 * d + C + n * 6 + part_room(q)) * 8);
    char *x = malloc((size_t)(n * d) * (data->single ? 4 : 8));
    int out = !memory || !x;
    if (!out) {
        double *at = memory;
        struct aside units = {take(&at, 2), take(&at, 2 * d), take(&at, C)};
        struct held_rows h = {*data, (int64_t *)take(&at, n), take(&at, n),
                              take(&at, 2 * n), take(&at, 2 * n), 0.0, x};
        lay_aside(&p->em, d, C, &units);
        for (int64_t s = 0; s < p->n_sets && !out; s++)
            out = refit(data, p, s, &units, &h, at);
    }
    free(memory);
    free(x);
    return out;
}

#endif
