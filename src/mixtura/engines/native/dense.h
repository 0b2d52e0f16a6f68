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

/* Lower Cholesky root of a (d x d), of which the lower triangle is read; the part above the diagonal
 * of root is zeroed. Worked out as an upper one in its place, so that inner loops are contiguous.
 * Returns 0, or 1 at a pivot that is not positive and finite. */
static int cholesky(int64_t d, const double *a, double *root)
{
    for (int64_t j = 0; j < d; j++)
        for (int64_t l = j; l < d; l++)
            root[j * d + l] = a[l * d + j];
    for (int64_t c = 0; c < d; c++) {
        double *upper = root + c * d;
        if (!(upper[c] > 0.0) || !isfinite(upper[c]))
            return 1;
        upper[c] = sqrt(upper[c]);
        for (int64_t l = c + 1; l < d; l++)
            upper[l] /= upper[c];
        for (int64_t j = c + 1; j < d; j++) {
            double *row = root + j * d, by = upper[j];
            for (int64_t l = j; l < d; l++)
                row[l] -= by * upper[l];
        }
    }
    for (int64_t j = 0; j < d; j++)
        for (int64_t l = 0; l < j; l++) {
            root[j * d + l] = root[l * d + j];
            root[l * d + j] = 0.0;
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

/* out = left right, all lower triangular and whole. */
static void times_lowers(int64_t d, const double *left, const double *right, double *out)
{
    for (int64_t j = 0; j < d; j++) {
        double *row = out + j * d;
        for (int64_t l = 0; l < d; l++)
            row[l] = 0.0;
        for (int64_t c = 0; c <= j; c++)
            for (int64_t l = 0; l <= c; l++)
                row[l] += left[j * d + c] * right[c * d + l];
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
        for (int64_t l = 0; l < j; l++) {
            double swap = tmp[j * d + l];
            tmp[j * d + l] = tmp[l * d + j];
            tmp[l * d + j] = swap;
        }
    for (int64_t j = 0; j < d; j++) {
        double *row = out + j * d;
        for (int64_t l = j; l < d; l++)
            row[l] = 0.0;
        for (int64_t c = 0; c <= j; c++)
            for (int64_t l = j; l < d; l++)
                row[l] += root[j * d + c] * tmp[c * d + l];
        for (int64_t l = j + 1; l < d; l++)
            out[l * d + j] = row[l];
    }
}

#endif
