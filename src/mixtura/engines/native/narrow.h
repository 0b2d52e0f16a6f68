/* Kernels for few columns (d <= NARROW_MAX), one instance per d.
 *
 * A block is held column by column, so a vector holds one column of VL rows. With d
 * a compile-time constant the triangular product is straight-line code that lives in
 * registers, and the scatter keeps a tile of accumulators in registers for the whole
 * block. Accumulators stay vectors (one partial sum per lane) until the pass ends.
 */
#ifndef MIXTURA_NARROW_H
#define MIXTURA_NARROW_H

#include "simd.h"

#define NARROW_MAX 16
#define TRIANGLE(d) ((d) * ((d) + 1) / 2)

/* y = W (x - mean) for nv vectors of rows. Column c of the input starts at x + c ld,
 * of the output at y + c ld. With log_p: log_p = shift - |y|^2 / 2, and best is raised
 * to it. */
INLINE void narrow_product(const int D, const double *restrict x, int64_t ld,
                           const double *restrict mean, const double *restrict whiten,
                           int64_t nv, double *restrict y, double shift,
                           double *restrict log_p, double *restrict best)
{
    for (int64_t v = 0; v < nv; v++) {
#if defined(__AVX512F__)
        /* Operations spread a number as they read it. Else the compiler spreads all of them
         * beforehand, more than registers hold, and reads them back: eight times as much. */
        __asm__ volatile("" : "+r"(whiten), "+r"(mean));
#endif
        vec c[NARROW_MAX];
        vec q = {0};
        UNROLL
        for (int j = 0; j < D; j++)
            c[j] = load(x + j * ld + v * VL) - mean[j];
        UNROLL
        for (int j = 0; j < D; j++) {
            vec s = whiten[j * D] * c[0];
            UNROLL
            for (int l = 1; l <= j; l++)
                s += whiten[j * D + l] * c[l];
            q += s * s;
            if (y)
                store(y + j * ld + v * VL, s);
        }
        if (log_p) {
            vec p = shift - 0.5 * q;
            store(log_p + v * VL, p);
            store(best + v * VL, vmax(load(best + v * VL), p));
        }
    }
}

/* Rows j0.. and columns l0.. of the lower triangle of sum r y y'; columns past the
 * diagonal fold away. The tile that starts at column 0 also sums r y. */
INLINE void narrow_tile(const int j0, const int nj, const int l0, const int nl,
                        const double *restrict y, int64_t ld, const double *restrict r,
                        int64_t nv, double *restrict tri, double *restrict first)
{
    vec a[6][8], f[6];
    UNROLL
    for (int j = 0; j < nj; j++) {
        if (l0 == 0)
            f[j] = load(first + (j0 + j) * VL);
        UNROLL
        for (int l = 0; l < nl; l++)
            if (l0 + l <= j0 + j)
                a[j][l] = load(tri + (TRIANGLE(j0 + j) + l0 + l) * VL);
    }
    for (int64_t v = 0; v < nv; v++) {
        const double *yv = y + v * VL;
        vec w = load(r + v * VL), u[8];
        UNROLL
        for (int l = 0; l < nl; l++)
            u[l] = load(yv + (l0 + l) * ld);
        UNROLL
        for (int j = 0; j < nj; j++) {
            vec s = w * load(yv + (j0 + j) * ld);
            if (l0 == 0)
                f[j] += s;
            UNROLL
            for (int l = 0; l < nl; l++)
                if (l0 + l <= j0 + j)
                    a[j][l] += s * u[l];
        }
    }
    UNROLL
    for (int j = 0; j < nj; j++) {
        if (l0 == 0)
            store(first + (j0 + j) * VL, f[j]);
        UNROLL
        for (int l = 0; l < nl; l++)
            if (l0 + l <= j0 + j)
                store(tri + (TRIANGLE(j0 + j) + l0 + l) * VL, a[j][l]);
    }
}

#define LEAST(a, b) ((a) < (b) ? (a) : (b))
#define TILE(j0, nj, l0, nl) narrow_tile(j0, nj, l0, nl, y, ld, r, nv, tri, first)

/* tri += sum r y y' (lower triangle), first += sum r y, in tiles that fit registers. */
INLINE void narrow_sums(const int D, const double *restrict y, int64_t ld,
                        const double *restrict r, int64_t nv, double *restrict tri,
                        double *restrict first)
{
#if MANY_REGISTERS
    TILE(0, LEAST(D, 6), 0, LEAST(D, 6));
    if (D > 6) {
        TILE(6, LEAST(D - 6, 4), 0, 5);
        TILE(6, LEAST(D - 6, 4), 5, LEAST(D - 5, 5));
    }
    if (D > 10) {
        TILE(10, LEAST(D - 10, 4), 0, 5);
        TILE(10, LEAST(D - 10, 4), 5, 5);
        TILE(10, LEAST(D - 10, 4), 10, LEAST(D - 10, 4));
    }
    if (D > 14) {
        TILE(14, D - 14, 0, 8);
        TILE(14, D - 14, 8, D - 8);
    }
#else
    TILE(0, LEAST(D, 3), 0, LEAST(D, 3));
    if (D > 3)
        TILE(3, 1, 0, 4);
    UNROLL
    for (int j = 4; j + 1 < D; j += 2) {
        UNROLL
        for (int l = 0; l <= j + 1; l += 4)
            TILE(j, 2, l, LEAST(4, j + 2 - l));
    }
    if (D > 4 && D % 2) {
        UNROLL
        for (int l = 0; l < D; l += 8)
            TILE(D - 1, 1, l, LEAST(8, D - l));
    }
#endif
}

struct narrow {
    void (*density)(const double *x, int64_t ld, const double *mean, const double *whiten,
                    int64_t nv, double *y, double shift, double *log_p, double *best);
    void (*density_only)(const double *x, int64_t ld, const double *mean,
                         const double *whiten, int64_t nv, double shift, double *log_p,
                         double *best);
    void (*product)(const double *x, int64_t ld, const double *mean, const double *whiten,
                    int64_t nv, double *y);
    void (*sums)(const double *y, int64_t ld, const double *r, int64_t nv, double *tri,
                 double *first);
};

#define NARROW(D)                                                                          \
    static void narrow_density_##D(const double *x, int64_t ld, const double *mean,        \
                                   const double *whiten, int64_t nv, double *y,            \
                                   double shift, double *log_p, double *best)              \
    {                                                                                      \
        narrow_product(D, x, ld, mean, whiten, nv, y, shift, log_p, best);                 \
    }                                                                                      \
    static void narrow_density_only_##D(const double *x, int64_t ld, const double *mean,   \
                                        const double *whiten, int64_t nv, double shift,    \
                                        double *log_p, double *best)                       \
    {                                                                                      \
        narrow_product(D, x, ld, mean, whiten, nv, 0, shift, log_p, best);                 \
    }                                                                                      \
    static void narrow_product_##D(const double *x, int64_t ld, const double *mean,        \
                                   const double *whiten, int64_t nv, double *y)            \
    {                                                                                      \
        narrow_product(D, x, ld, mean, whiten, nv, y, 0.0, 0, 0);                          \
    }                                                                                      \
    static void narrow_sums_##D(const double *y, int64_t ld, const double *r, int64_t nv,  \
                                double *tri, double *first)                                \
    {                                                                                      \
        narrow_sums(D, y, ld, r, nv, tri, first);                                          \
    }
NARROW(1) NARROW(2) NARROW(3) NARROW(4) NARROW(5) NARROW(6) NARROW(7) NARROW(8)
NARROW(9) NARROW(10) NARROW(11) NARROW(12) NARROW(13) NARROW(14) NARROW(15) NARROW(16)

#define ENTRY(D)                                                                           \
    {narrow_density_##D, narrow_density_only_##D, narrow_product_##D, narrow_sums_##D}
static const struct narrow narrow_table[NARROW_MAX + 1] = {
    {0, 0, 0, 0}, ENTRY(1),  ENTRY(2),  ENTRY(3),  ENTRY(4),  ENTRY(5),
    ENTRY(6),     ENTRY(7),  ENTRY(8),  ENTRY(9),  ENTRY(10), ENTRY(11),
    ENTRY(12),    ENTRY(13), ENTRY(14), ENTRY(15), ENTRY(16),
};

#endif
