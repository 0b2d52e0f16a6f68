/* Lines of numbers that lie one after the other in VL places, taken side by side, and put back. */
#ifndef MIXTURA_BESIDE_H
#define MIXTURA_BESIDE_H

#include "simd.h"
#include "transpose.h"

/* n lines of d numbers from each of VL places, line t of place l to number t VL + l of each of the d
 * columns of `out`. Returns the sum of all, which is NaN where one is. */
static vec take_beside(const double *const *from, int64_t n, int64_t d, double *out, int64_t stride)
{
    int64_t m = 0, j = 0, t = 0;
    vec sum = splat(0.0);
    for (; m + VL <= n * d; m += VL) {
        vec square[VL];
        UNROLL
        for (int l = 0; l < VL; l++)
            square[l] = load(from[l] + m);
        transpose(square);
        UNROLL
        for (int q = 0; q < VL; q++) {
            store(out + j * stride + t * VL, square[q]);
            sum += square[q];
            t += j + 1 == d;
            j = j + 1 == d ? 0 : j + 1;
        }
    }
    for (; m < n * d; m++)
        for (int l = 0; l < VL; l++) {
            out[m % d * stride + m / d * VL + l] = from[l][m];
            sum[l] += from[l][m];
        }
    return sum;
}

/* Numbers k to k + many of a line from each of VL places, side by side, into columns of `out`. */
INLINE void columns_beside(const double *const *line, int64_t k, const int64_t many,
                           double *out, int64_t stride)
{
    vec square[VL];
    UNROLL
    for (int l = 0; l < VL; l++)
        square[l] = load(line[l] + k);
    transpose(square);
    UNROLL
    for (int64_t q = 0; q < VL; q++)
        if (q < many)
            store(out + (k + q) * stride, square[q]);
}

/* Shares back to lines: what is in the columns of `in`, times `scale` of its step where that is not
 * NULL. Rounding makes none more than 1, and what is no number stays none. */
INLINE void put_beside(const double *in, const double *scale, int64_t stride, int64_t n,
                       const int64_t d, double *const *to)
{
    int64_t m = 0, j = 0, t = 0;
    for (; m + VL <= n * d; m += VL) {
        vec square[VL];
        UNROLL
        for (int q = 0; q < VL; q++) {
            square[q] = load(in + j * stride + t * VL);
            if (scale)
                square[q] *= load(scale + t * VL);
            square[q] = vmin(splat(1.0), square[q]);
            t += j + 1 == d;
            j = j + 1 == d ? 0 : j + 1;
        }
        transpose(square);
        UNROLL
        for (int l = 0; l < VL; l++)
            store(to[l] + m, square[l]);
    }
    for (; m < n * d; m++)
        for (int l = 0; l < VL; l++) {
            double share = in[m % d * stride + m / d * VL + l] * (scale ? scale[m / d * VL + l] : 1.0);
            to[l][m] = share > 1.0 ? 1.0 : share;
        }
}

#endif
