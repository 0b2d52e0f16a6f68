/* Small dense linear algebra for the M-step: plain loops, lower triangles. */
#ifndef MIXTURA_DENSE_H
#define MIXTURA_DENSE_H

#include <math.h>
#include <stdint.h>

/* The next n numbers of a piece of memory. */
static double *take(double **at, int64_t n)
{
    double *p = *at;
    *at += n;
    return p;
}

/* Lower Cholesky root of a (d x d); the part above the diagonal of root is zeroed.
 * Returns 0, or 1 at a pivot that is not positive and finite. */
static int cholesky(int64_t d, const double *a, double *root)
{
    for (int64_t j = 0; j < d; j++) {
        for (int64_t l = 0; l <= j; l++) {
            double s = a[j * d + l];
            for (int64_t c = 0; c < l; c++)
                s -= root[j * d + c] * root[l * d + c];
            if (l < j) {
                root[j * d + l] = s / root[l * d + l];
            } else {
                if (!(s > 0.0) || !isfinite(s))
                    return 1;
                root[j * d + j] = sqrt(s);
            }
        }
        for (int64_t l = j + 1; l < d; l++)
            root[j * d + l] = 0.0;
    }
    return 0;
}

/* inverse = root^-1, lower triangular, row by row so that inner loops are contiguous. */
static void invert_lower(int64_t d, const double *root, double *inverse)
{
    for (int64_t j = 0; j < d; j++) {
        double *row = inverse + j * d;
        double pivot = 1.0 / root[j * d + j];
        for (int64_t l = 0; l < d; l++)
            row[l] = 0.0;
        for (int64_t c = 0; c < j; c++) {
            double s = -root[j * d + c] * pivot;
            for (int64_t l = 0; l <= c; l++)
                row[l] += s * inverse[c * d + l];
        }
        row[j] = pivot;
    }
}

/* out = root v, with root lower triangular. */
static void times_lower(int64_t d, const double *root, const double *v, double *out)
{
    for (int64_t j = 0; j < d; j++) {
        double s = 0.0;
        for (int64_t l = 0; l <= j; l++)
            s += root[j * d + l] * v[l];
        out[j] = s;
    }
}

/* out = root s root', symmetric; tmp is d x d. */
static void congruence(int64_t d, const double *root, const double *s, double *tmp,
                       double *out)
{
    for (int64_t j = 0; j < d; j++) {
        double *row = tmp + j * d;
        for (int64_t c = 0; c < d; c++)
            row[c] = 0.0;
        for (int64_t l = 0; l <= j; l++)
            for (int64_t c = 0; c < d; c++)
                row[c] += root[j * d + l] * s[l * d + c];
    }
    for (int64_t j = 0; j < d; j++)
        for (int64_t l = 0; l <= j; l++) {
            double sum = 0.0;
            for (int64_t c = 0; c <= l; c++)
                sum += tmp[j * d + c] * root[l * d + c];
            out[j * d + l] = out[l * d + j] = sum;
        }
}

#endif
