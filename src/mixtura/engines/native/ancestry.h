/* A pass over genotypes in 2 bits (or a byte each): markers are rows, individuals lie side by side.
 *
 * Individual i carries `a` copies of a marker's first allele and `b` of its second; the chance of
 * the first is h = sum_k q_ik p_k. A block of markers is taken at a time: first each marker's
 * frequencies are improved, with shares held, and then what the shares need is summed at the
 * improved frequencies, so that one reading of the file moves both. */
#ifndef MIXTURA_ANCESTRY_H
#define MIXTURA_ANCESTRY_H

#include <stdlib.h>
#include <string.h>

#include "boxes.h"
#include "kernels.h"
#include "narrow.h"
#include "simd.h"

enum { ANCESTRY_TILE = 64, ANCESTRY_BLOCK = 32, ANCESTRY_VECS = ANCESTRY_TILE / VL };

struct ancestry_work {
    const struct mixtura_ancestry *asked;
    int64_t pairs;
    double *first, *second;           /* 256 x 4: copies by byte of four codes */
    double *a, *b, *u, *v;            /* a tile, or a block of tiles */
    double *slope, *curve, *fresh;    /* of one marker */
    double *products;                 /* BLOCK x pairs */
};

/* Chances as they are divided by: where there is a copy none is so small. */
#define LEAST_CHANCE 1e-150

INLINE uint64_t fold_hash(uint64_t z)
{
    /* splitmix64 (Steele, Lea & Flood 2014). */
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Genotypes of fold `fold` are left out, or are all that is looked at. */
static void masked(const struct mixtura_ancestry *m, int64_t j, int64_t i0, double *a, double *b)
{
    for (int64_t i = 0; i < ANCESTRY_TILE; i++) {
        uint64_t key = fold_hash(m->seed ^ (uint64_t)(j * m->ld + i0 + i));
        int in = (int64_t)(((key >> 32) * (uint64_t)m->folds) >> 32) == m->fold;
        if (in != (int)m->inside)
            a[i] = b[i] = 0.0;
    }
}

/* Copies of both alleles of individuals i0, ..., i0 + TILE - 1 at marker j. */
static void decoded(const struct ancestry_work *w, int64_t j, int64_t i0, double *a, double *b)
{
    const struct mixtura_ancestry *m = w->asked;
    const uint8_t *row = m->codes + j * m->stride;
    if (m->bits == 2)
        for (int64_t t = 0; t < ANCESTRY_TILE / 4; t++) {
            int64_t place = i0 / 4 + t;
            /* Past the last byte everybody is missing. */
            int code = place < m->stride ? row[place] : 0x55;
            memcpy(a + 4 * t, w->first + 4 * code, 32);
            memcpy(b + 4 * t, w->second + 4 * code, 32);
        }
    for (int64_t i = 0; m->bits == 8 && i < ANCESTRY_TILE; i++) {
        int code = i0 + i < m->stride ? row[i0 + i] : 255;
        a[i] = m->first_copies[code];
        b[i] = m->second_copies[code];
    }
    for (int64_t i = LEAST(ANCESTRY_TILE, m->n - i0); i < ANCESTRY_TILE; i++)
        a[i] = b[i] = 0.0;
    if (m->haploid && m->haploid[j])
        for (int64_t i = 0; i < ANCESTRY_TILE; i++) {
            double share = m->haploid[j] == 2 || m->single[i0 + i] ? 0.5 : 1.0;
            a[i] *= share;
            b[i] *= share;
        }
    if (m->folds)
        masked(m, j, i0, a, b);
}

INLINE vec chance(const struct mixtura_ancestry *m, const double *p, int64_t i)
{
    vec h = {0};
    for (int64_t k = 0; k < m->K; k++)
        h += p[k] * load(m->Q + k * m->ld + i);
    return h;
}

INLINE vec log_chances(vec a, vec b, vec h, vec g)
{
    const vec none = {0}, least = splat(LEAST_CHANCE);
    /* 0 log 0 is 0; rounding may leave 1 - h just below nothing. */
    return pick_equal(a, none, none, a * log_pos(vmax(h, least))) +
           pick_equal(b, none, none, b * log_pos(vmax(g, least)));
}

static double marker_loglik(const struct ancestry_work *w, int64_t j, const double *p)
{
    const struct mixtura_ancestry *m = w->asked;
    vec sum = {0};
    for (int64_t i0 = 0; i0 < m->n; i0 += ANCESTRY_TILE) {
        decoded(w, j, i0, w->a, w->b);
        for (int64_t i = 0; i < ANCESTRY_TILE; i += VL) {
            vec h = chance(m, p, i0 + i);
            sum += log_chances(load(w->a + i), load(w->b + i), h, 1.0 - h);
        }
    }
    return sum_lanes(sum);
}

/* slope_k += sum_i u_i q_ik, and curve_kl += sum_i v_i q_ik q_il for l >= k. */
static void tile_sums(const struct mixtura_ancestry *m, int64_t i0, const double *u,
                      const double *v, double *slope, double *curve)
{
    int64_t K = m->K;
    for (int64_t k = 0; k < K; k++) {
        const double *q = m->Q + k * m->ld + i0;
        vec g = {0}, weighted[ANCESTRY_VECS];
        for (int64_t t = 0; t < ANCESTRY_VECS; t++) {
            vec own = load(q + t * VL);
            g += load(u + t * VL) * own;
            weighted[t] = load(v + t * VL) * own;
        }
        slope[k] += sum_lanes(g);
        for (int64_t l = k; l < K; l++) {
            const double *r = m->Q + l * m->ld + i0;
            vec one = {0}, two = {0};
            for (int64_t t = 0; t < ANCESTRY_VECS; t += 2) {
                one += weighted[t] * load(r + t * VL);
                two += weighted[t + 1] * load(r + (t + 1) * VL);
            }
            curve[k * K + l] += sum_lanes(one + two);
        }
    }
}

/* The log-likelihood of marker j at p, its slope there and minus its second derivatives. */
static double marker_newton(const struct ancestry_work *w, int64_t j, const double *p)
{
    const struct mixtura_ancestry *m = w->asked;
    int64_t K = m->K;
    vec sum = {0};
    memset(w->slope, 0, (size_t)K * 8);
    memset(w->curve, 0, (size_t)(K * K) * 8);
    for (int64_t i0 = 0; i0 < m->n; i0 += ANCESTRY_TILE) {
        decoded(w, j, i0, w->a, w->b);
        for (int64_t i = 0; i < ANCESTRY_TILE; i += VL) {
            vec a = load(w->a + i), b = load(w->b + i);
            vec h = chance(m, p, i0 + i), g = 1.0 - h;
            sum += log_chances(a, b, h, g);
            vec r = 1.0 / vmax(h, splat(LEAST_CHANCE)), s = 1.0 / vmax(g, splat(LEAST_CHANCE));
            store(w->u + i, a * r - b * s);
            store(w->v + i, a * r * r + b * s * s);
        }
        tile_sums(m, i0, w->u, w->v, w->slope, w->curve);
    }
    for (int64_t k = 0; k < K; k++)
        for (int64_t l = 0; l < k; l++)
            w->curve[k * K + l] = w->curve[l * K + k];
    return sum_lanes(sum);
}

/* EM's step of marker j: copies by the population that they came from (Tang et al. 2005). */
static double marker_em(const struct ancestry_work *w, int64_t j, const double *p, double *to)
{
    const struct mixtura_ancestry *m = w->asked;
    vec sum = {0};
    memset(w->slope, 0, (size_t)(2 * m->K) * 8);
    for (int64_t i0 = 0; i0 < m->n; i0 += ANCESTRY_TILE) {
        decoded(w, j, i0, w->a, w->b);
        for (int64_t i = 0; i < ANCESTRY_TILE; i += VL) {
            vec a = load(w->a + i), b = load(w->b + i);
            vec h = chance(m, p, i0 + i), g = 1.0 - h;
            sum += log_chances(a, b, h, g);
            store(w->u + i, a / vmax(h, splat(LEAST_CHANCE)));
            store(w->v + i, b / vmax(g, splat(LEAST_CHANCE)));
        }
        for (int64_t k = 0; k < m->K; k++) {
            vec one = {0}, two = {0};
            for (int64_t i = 0; i < ANCESTRY_TILE; i += VL) {
                vec q = load(m->Q + k * m->ld + i0 + i);
                one += q * load(w->u + i);
                two += q * load(w->v + i);
            }
            w->slope[k] += sum_lanes(one);
            w->slope[m->K + k] += sum_lanes(two);
        }
    }
    for (int64_t k = 0; k < m->K; k++) {
        double one = p[k] * w->slope[k], two = (1.0 - p[k]) * w->slope[m->K + k];
        to[k] = one + two > 0.0 ? one / (one + two) : p[k];
    }
    return sum_lanes(sum);
}

/* Frequencies of marker j improved: (log-likelihood before), *after that at `to`. */
static double marker_step(const struct ancestry_work *w, int64_t j, const double *p, double *to,
                          double *after)
{
    const struct mixtura_ancestry *m = w->asked;
    int64_t K = m->K;
    if (m->em) {
        double before = marker_em(w, j, p, to);
        *after = NAN;
        return before;
    }
    double before = marker_newton(w, j, p);
    box_step(K, w->slope, w->curve, p, w->fresh);
    for (double share = 1.0; share > 0.01; share *= 0.5) {
        for (int64_t k = 0; k < K; k++)
            to[k] = share == 1.0 ? w->fresh[k] : p[k] + share * (w->fresh[k] - p[k]);
        *after = marker_loglik(w, j, to);
        if (*after >= before)
            return before;
    }
    memcpy(to, p, (size_t)K * 8);
    *after = before;
    return before;
}

/* What the shares of a tile need of the markers j0, ..., j1 - 1 at frequencies p. */
static void share_sums(const struct ancestry_work *w, int64_t j0, int64_t j1, int64_t i0)
{
    const struct mixtura_ancestry *m = w->asked;
    int64_t K = m->K, many = j1 - j0;
    const double *p = (m->to ? m->to : m->P) + j0 * K;
    vec constant[ANCESTRY_VECS] = {{0}};
    for (int64_t j = 0; j < many; j++) {
        double weight = m->weight ? m->weight[j0 + j] : 1.0;
        double *u = w->u + j * ANCESTRY_TILE, *v = w->v + j * ANCESTRY_TILE;
        decoded(w, j0 + j, i0, w->a, w->b);
        for (int64_t t = 0; t < ANCESTRY_VECS; t++) {
            vec a = weight * load(w->a + t * VL), b = weight * load(w->b + t * VL);
            vec h = chance(m, p + j * K, i0 + t * VL);
            vec r = 1.0 / vmax(h, splat(LEAST_CHANCE)), s = 1.0 / vmax(1.0 - h, splat(LEAST_CHANCE));
            store(u + t * VL, a * r - b * s);
            store(v + t * VL, a * r * r + b * s * s);
            constant[t] += b * s;
        }
    }
    for (int64_t k = 0; k < K; k++) {
        vec sum[ANCESTRY_VECS];
        memcpy(sum, constant, sizeof sum);
        for (int64_t j = 0; j < many; j++)
            for (int64_t t = 0; t < ANCESTRY_VECS; t++)
                sum[t] += p[j * K + k] * load(w->u + j * ANCESTRY_TILE + t * VL);
        double *out = m->slope + k * m->ld + i0;
        for (int64_t t = 0; t < ANCESTRY_VECS; t++)
            store(out + t * VL, load(out + t * VL) + sum[t]);
    }
    for (int64_t e = 0; m->curve && e < w->pairs; e++) {
        vec sum[ANCESTRY_VECS] = {{0}};
        for (int64_t j = 0; j < many; j++)
            for (int64_t t = 0; t < ANCESTRY_VECS; t++)
                sum[t] += w->products[j * w->pairs + e] * load(w->v + j * ANCESTRY_TILE + t * VL);
        double *out = m->curve + e * m->ld + i0;
        for (int64_t t = 0; t < ANCESTRY_VECS; t++)
            store(out + t * VL, load(out + t * VL) + sum[t]);
    }
}

static void block_share_sums(const struct ancestry_work *w, int64_t j0, int64_t j1)
{
    const struct mixtura_ancestry *m = w->asked;
    const double *p = (m->to ? m->to : m->P) + j0 * m->K;
    for (int64_t j = 0; j < j1 - j0; j++) {
        double *out = w->products + j * w->pairs;
        for (int64_t k = 0; k < m->K; k++)
            for (int64_t l = k; l < m->K; l++)
                *out++ = p[j * m->K + k] * p[j * m->K + l];
    }
    for (int64_t i0 = 0; i0 < m->n; i0 += ANCESTRY_TILE)
        share_sums(w, j0, j1, i0);
}

static void tables_of_copies(struct ancestry_work *w)
{
    for (int64_t code = 0; code < 256; code++)
        for (int64_t t = 0; t < 4; t++) {
            w->first[4 * code + t] = w->asked->first_copies[code >> (2 * t) & 3];
            w->second[4 * code + t] = w->asked->second_copies[code >> (2 * t) & 3];
        }
}

static int ancestry(struct mixtura_ancestry *m)
{
    int64_t K = m->K, pairs = K * (K + 1) / 2, tile = ANCESTRY_TILE * ANCESTRY_BLOCK;
    double *room = malloc((size_t)(2048 + 2 * ANCESTRY_TILE + 2 * tile + 3 * K + K * K +
                                   ANCESTRY_BLOCK * pairs) * 8);
    if (!room)
        return 1;
    struct ancestry_work w = {.asked = m, .pairs = pairs, .first = room};
    w.second = w.first + 1024;
    w.a = w.second + 1024;
    w.b = w.a + ANCESTRY_TILE;
    w.u = w.b + ANCESTRY_TILE;
    w.v = w.u + tile;
    w.slope = w.v + tile;
    w.fresh = w.slope + 2 * K;
    w.curve = w.fresh + K;
    w.products = w.curve + K * K;
    tables_of_copies(&w);
    for (int64_t j0 = m->from; j0 < m->upto; j0 += ANCESTRY_BLOCK) {
        int64_t j1 = LEAST(j0 + ANCESTRY_BLOCK, m->upto);
        for (int64_t j = j0; j < j1; j++) {
            double weight = m->weight ? m->weight[j] : 1.0, after = NAN;
            double before = m->to ? marker_step(&w, j, m->P + j * K, m->to + j * K, &after)
                                  : marker_loglik(&w, j, m->P + j * K);
            m->loglik += weight * before;
            m->improved += weight * after;
        }
        if (m->slope)
            block_share_sums(&w, j0, j1);
    }
    free(room);
    return 0;
}

#endif
