/* Eigenvectors and what follows from rotations, for matrices of a few columns: cyclic Jacobi.
 *
 * Golub & Van Loan (2013), Matrix Computations, section 8.5: every plane in turn is rotated until
 * nothing is left off the diagonal. One-sided, on the columns of a matrix that is not symmetric, the
 * same rotations are a singular value decomposition (Hestenes 1958, J. SIAM 6). Both keep small
 * eigenvalues and orthogonality to the last digits, and need no workspace. */
#ifndef MIXTURA_JACOBI_H
#define MIXTURA_JACOBI_H

#include <float.h>

#include "dense.h"

#define JACOBI_SWEEPS 30

static void identity(int64_t d, double *a)
{
    for (int64_t i = 0; i < d * d; i++)
        a[i] = i % (d + 1) ? 0.0 : 1.0;
}

/* The tangent of the smaller angle that turns (app, apq; apq, aqq) into a diagonal. */
static double jacobi_tangent(double app, double aqq, double apq)
{
    double theta = (aqq - app) / (2.0 * apq);
    double t = 1.0 / (fabs(theta) + hypot(theta, 1.0));
    return theta < 0.0 ? -t : t;
}

/* Columns p and q of a (d x d) turned by the angle with cosine c and sine s. */
static void turn_columns(int64_t d, double *a, int64_t p, int64_t q, double c, double s)
{
    for (int64_t i = 0; i < d; i++) {
        double ap = a[i * d + p], aq = a[i * d + q];
        a[i * d + p] = c * ap - s * aq;
        a[i * d + q] = s * ap + c * aq;
    }
}

/* Columns p and q change places. */
static void swap_columns(int64_t d, double *a, int64_t p, int64_t q)
{
    for (int64_t i = 0; i < d; i++) {
        double kept = a[i * d + p];
        a[i * d + p] = a[i * d + q];
        a[i * d + q] = kept;
    }
}

/* Eigenvalues of a symmetric matrix, rising, and eigenvectors in the columns of vectors. a is
 * destroyed. */
static void jacobi(int64_t d, double *a, double *values, double *vectors)
{
    identity(d, vectors);
    for (int sweep = 0; sweep < JACOBI_SWEEPS; sweep++) {
        int turned = 0;
        for (int64_t p = 0; p < d - 1; p++)
            for (int64_t q = p + 1; q < d; q++) {
                double apq = a[p * d + q], app = a[p * d + p], aqq = a[q * d + q];
                /* Also true where one of them is no number: then there is nothing to turn. */
                double size = sqrt(fabs(app)) * sqrt(fabs(aqq));
                if (!(fabs(apq) > 1e-16 * size) || !isfinite(apq) || fabs(apq) < DBL_MIN)
                    continue;
                double t = jacobi_tangent(app, aqq, apq);
                double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
                turned = 1;
                turn_columns(d, a, p, q, c, s);
                for (int64_t j = 0; j < d; j++) {
                    double ap = a[p * d + j], aq = a[q * d + j];
                    a[p * d + j] = c * ap - s * aq;
                    a[q * d + j] = s * ap + c * aq;
                }
                a[p * d + p] = app - t * apq;
                a[q * d + q] = aqq + t * apq;
                a[p * d + q] = a[q * d + p] = 0.0;
                turn_columns(d, vectors, p, q, c, s);
            }
        if (!turned)
            break;
    }
    for (int64_t j = 0; j < d; j++)
        values[j] = a[j * d + j];
    for (int64_t j = 0; j < d - 1; j++) {
        int64_t least = j;
        for (int64_t l = j + 1; l < d; l++)
            if (values[l] < values[least])
                least = l;
        if (least != j) {
            double kept = values[j];
            values[j] = values[least];
            values[least] = kept;
            swap_columns(d, vectors, j, least);
        }
    }
}

/* The rotation R for which tr(f' R) is smallest: -U V' of f = U S V'. f and v are destroyed. */
static void nearest_rotation(int64_t d, double *f, double *v, double *out)
{
    identity(d, v);
    for (int sweep = 0; sweep < JACOBI_SWEEPS; sweep++) {
        int turned = 0;
        for (int64_t p = 0; p < d - 1; p++)
            for (int64_t q = p + 1; q < d; q++) {
                double pp = 0.0, qq = 0.0, pq = 0.0;
                for (int64_t i = 0; i < d; i++) {
                    pp += f[i * d + p] * f[i * d + p];
                    qq += f[i * d + q] * f[i * d + q];
                    pq += f[i * d + p] * f[i * d + q];
                }
                if (!(fabs(pq) > 1e-16 * sqrt(pp) * sqrt(qq)) || !isfinite(pq))
                    continue;
                double t = jacobi_tangent(pp, qq, pq);
                double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
                turned = 1;
                turn_columns(d, f, p, q, c, s);
                turn_columns(d, v, p, q, c, s);
            }
        if (!turned)
            break;
    }
    for (int64_t j = 0; j < d; j++) {
        double length = 0.0;
        for (int64_t i = 0; i < d; i++)
            length += f[i * d + j] * f[i * d + j];
        length = sqrt(length);
        for (int64_t i = 0; i < d; i++)
            f[i * d + j] /= length;
    }
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < d; j++) {
            double sum = 0.0;
            for (int64_t c = 0; c < d; c++)
                sum -= f[i * d + c] * v[j * d + c];
            out[i * d + j] = sum;
        }
}

/* out = (I - a/2)^-1 (I + a/2) for a skew a: the rotation by these angles (Cayley's map).
 * left holds d x d. The pivots of I - a/2 are at least 1, so none is exchanged. */
static void cayley(int64_t d, const double *a, double *left, double *out)
{
    for (int64_t i = 0; i < d * d; i++) {
        double one = i % (d + 1) ? 0.0 : 1.0;
        left[i] = one - 0.5 * a[i];
        out[i] = one + 0.5 * a[i];
    }
    for (int64_t p = 0; p < d; p++)
        for (int64_t i = 0; i < d; i++) {
            if (i == p)
                continue;
            double factor = left[i * d + p] / left[p * d + p];
            for (int64_t j = p; j < d; j++)
                left[i * d + j] -= factor * left[p * d + j];
            for (int64_t j = 0; j < d; j++)
                out[i * d + j] -= factor * out[p * d + j];
        }
    for (int64_t p = 0; p < d; p++)
        for (int64_t j = 0; j < d; j++)
            out[p * d + j] /= left[p * d + p];
}

/* out = a b. */
static void product(int64_t d, const double *a, const double *b, double *out)
{
    for (int64_t i = 0; i < d; i++) {
        for (int64_t j = 0; j < d; j++)
            out[i * d + j] = 0.0;
        for (int64_t c = 0; c < d; c++)
            for (int64_t j = 0; j < d; j++)
                out[i * d + j] += a[i * d + c] * b[c * d + j];
    }
}

/* out = a' w a; tmp holds d x d. */
static void turned_into(int64_t d, const double *a, const double *w, double *tmp, double *out)
{
    product(d, w, a, tmp);
    for (int64_t i = 0; i < d * d; i++)
        out[i] = 0.0;
    for (int64_t c = 0; c < d; c++)
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < d; j++)
                out[i * d + j] += a[c * d + i] * tmp[c * d + j];
}

#endif
