/* Rows drawn from a mixture: x = m_k + L_k z, k by the weights, z standard normal.
 *
 * Eight streams of xoshiro256++ (Blackman & Vigna 2021, ACM Trans. Mathematical Software 47) run
 * side by side, whatever a vector holds, so a draw does not hang on the CPU but for rounding.
 * Normals are pairs by Box & Muller (1958, Annals of Mathematical Statistics 29): no rejections, so
 * every vector does the same.
 */
#ifndef MIXTURA_SAMPLE_H
#define MIXTURA_SAMPLE_H

#include "kernels.h"
#include "work.h"

#define STREAMS 8
#define PARTS (STREAMS / VL)
/* Rows whose labels and normals are made at once: a multiple of 2 STREAMS. */
#define DRAWN_ROWS 64

struct streams {
    uvec s[4][PARTS];
};

/* Numbers that differ for all pairs of keys and counters: SplitMix64's, whose bijection of 64 bits
 * the authors of xoshiro recommend for seeding. */
static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void seed_streams(struct streams *g, const uint64_t *key, uint64_t chunk)
{
    for (uint64_t lane = 0; lane < STREAMS; lane++)
        for (uint64_t i = 0; i < 4; i++) {
            uint64_t counter = (chunk * STREAMS + lane) * 4 + i + 1;
            g->s[i][lane / VL][lane % VL] =
                mixed(mixed(key[0] + counter * 0x9e3779b97f4a7c15u) ^ key[1]);
        }
}

INLINE uvec rotated(uvec x, int bits) { return (x << bits) | (x >> (64 - bits)); }

INLINE uvec next_bits(struct streams *g, int part)
{
    uvec a = g->s[0][part], b = g->s[1][part], c = g->s[2][part], d = g->s[3][part];
    uvec out = rotated(a + d, 23) + a, t = b << 17;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    g->s[0][part] = a;
    g->s[1][part] = b;
    g->s[2][part] = c;
    g->s[3][part] = rotated(d, 45);
    return out;
}

/* In [1, 2), from the 52 highest bits. */
INLINE vec one_to_two(uvec bits) { return (vec)((bits >> 12) | 0x3ff0000000000000u); }

INLINE vec square_root(vec x)
{
#if VL == 8
    return (vec)_mm512_sqrt_pd((__m512d)x);
#elif VL == 4
    return (vec)_mm256_sqrt_pd((__m256d)x);
#else
    for (int t = 0; t < VL; t++)
        x[t] = sqrt(x[t]);
    return x;
#endif
}

/* sin and cos of x in [-pi/4, pi/4], by their Taylor series: what is left out is below 1e-17. */
INLINE void sine_cosine(vec x, vec *sine, vec *cosine)
{
    vec z = x * x;
    vec s = splat(-7.6471637318198164759e-13); /* -1 / 15! */
    s = s * z + 1.6059043836821614599e-10;
    s = s * z - 2.5052108385441718775e-8;
    s = s * z + 2.7557319223985890653e-6;
    s = s * z - 1.9841269841269841270e-4;
    s = s * z + 8.3333333333333333333e-3;
    s = s * z - 1.6666666666666666667e-1;
    vec c = splat(4.7794773323873852974e-14); /* 1 / 16! */
    c = c * z - 1.1470745597729724714e-11;
    c = c * z + 2.0876756987868098979e-9;
    c = c * z - 2.7557319223985890653e-7;
    c = c * z + 2.4801587301587301587e-5;
    c = c * z - 1.3888888888888888889e-3;
    c = c * z + 4.1666666666666666667e-2;
    c = c * z - 0.5;
    *sine = x + x * (z * s);
    *cosine = 1.0 + z * c;
}

/* n standard normals, n a multiple of 2 STREAMS. */
static void normals(struct streams *g, int64_t n, double *restrict out)
{
    const ivec sign = (ivec){0} + INT64_MIN;
    for (int64_t i = 0; i < n; i += 2 * STREAMS)
        for (int part = 0; part < PARTS; part++) {
            vec radius = square_root(-2.0 * log_pos(2.0 - one_to_two(next_bits(g, part))));
            /* A quarter of the circle; two of the bits left over say which. */
            uvec bits = next_bits(g, part);
            vec sine, cosine;
            sine_cosine((one_to_two(bits) - 1.5) * 1.57079632679489661923, &sine, &cosine);
            cosine = (vec)((ivec)cosine ^ ((ivec)(bits << 63) & sign));
            ivec swap = -(ivec)((bits >> 1) & 1);
            store(out + i + part * VL, radius * pick(swap, sine, cosine));
            store(out + i + STREAMS + part * VL, radius * pick(swap, cosine, sine));
        }
}

/* The first k with u < share[k], among K = the length of share; share[K - 1] is 1. */
static int64_t which(const double *share, int64_t K, double u)
{
    int64_t first = 0;
    while (K > 1) {
        int64_t half = K / 2;
        first += share[first + half - 1] <= u ? half : 0;
        K -= half;
    }
    return first;
}

static void draw_labels(struct streams *g, const struct mixtura_draw *d, int64_t *labels)
{
    double u[VL];
    for (int64_t i = 0; i < DRAWN_ROWS; i += STREAMS)
        for (int part = 0; part < PARTS; part++) {
            store(u, one_to_two(next_bits(g, part)) - 1.0);
            for (int t = 0; t < VL; t++)
                labels[i + part * VL + t] = which(d->share, d->K, u[t]);
        }
}

/* Roots by columns, each padded to ld numbers: a column times a normal is then whole vectors. */
static void lay_out(const struct mixtura_draw *d, int64_t ld, double *columns)
{
    int64_t matrices = d->form == FORM_FULL ? d->K : d->form == FORM_TIED ? 1 : 0;
    for (int64_t k = 0; k < matrices; k++)
        for (int64_t l = 0; l < d->d; l++)
            for (int64_t j = 0; j < ld; j++)
                columns[(k * d->d + l) * ld + j] =
                    j < d->d ? d->roots[(k * d->d + j) * d->d + l] : 0.0;
}

/* One row of an axis-aligned component. */
INLINE void scaled_row(const struct mixtura_draw *d, int64_t k, const double *restrict z,
                       double *restrict x)
{
    const double *mean = d->means + k * d->d;
    const double *sd = d->roots + (d->form == FORM_DIAG ? k * d->d : k);
    for (int64_t j = 0; j < d->d; j++)
        x[j] = mean[j] + (d->form == FORM_DIAG ? sd[j] : *sd) * z[j];
}

/* One row of a component with a root: x has room for ld numbers. */
INLINE void turned_row(const struct mixtura_draw *d, int64_t k, const double *restrict columns,
                       int64_t ld, const double *restrict z, double *restrict x)
{
    const double *root = columns + (d->form == FORM_FULL ? k * d->d * ld : 0);
    for (int64_t j = 0; j < ld; j += VL) {
        vec sum = {0};
        for (int64_t l = 0; l < LEAST(d->d, j + VL); l++)
            sum += load(root + l * ld + j) * z[l];
        store(x + j, sum);
    }
    for (int64_t j = 0; j < d->d; j++)
        x[j] += d->means[k * d->d + j];
}

static int draw(const struct mixtura_draw *d)
{
    int64_t ld = ROUND_UP(d->d, VL);
    int64_t roots = (d->form == FORM_FULL ? d->K : d->form == FORM_TIED) * d->d * ld;
    double *memory = malloc((size_t)(DRAWN_ROWS * d->d + ld + roots + 1) * 8);
    if (!memory)
        return 1;
    double *z = memory, *row = z + DRAWN_ROWS * d->d, *columns = row + ld;
    int64_t labels[DRAWN_ROWS];
    struct streams g;
    seed_streams(&g, d->key, (uint64_t)d->chunk);
    lay_out(d, ld, columns);
    for (int64_t i = 0; i < d->n; i += DRAWN_ROWS) {
        int64_t n = LEAST(DRAWN_ROWS, d->n - i);
        draw_labels(&g, d, labels);
        normals(&g, DRAWN_ROWS * d->d, z);
        memcpy(d->labels + i, labels, (size_t)n * 8);
        for (int64_t t = 0; t < n; t++) {
            double *x = d->x + (i + t) * d->d;
            if (d->form == FORM_DIAG || d->form == FORM_SPHERICAL) {
                scaled_row(d, labels[t], z + t * d->d, x);
            } else {
                turned_row(d, labels[t], columns, ld, z + t * d->d, row);
                memcpy(x, row, (size_t)d->d * 8);
            }
        }
    }
    free(memory);
    return 0;
}

#endif
