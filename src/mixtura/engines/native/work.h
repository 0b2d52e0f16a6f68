/* Scratch of one call, and the reading of rows into it.
 *
 * Rows are taken in blocks that fit in cache; nothing here grows with the number of
 * rows. Narrow models (d <= NARROW_MAX) and axis-aligned ones hold a block column by
 * column, wide ones row by row.
 */
#ifndef MIXTURA_WORK_H
#define MIXTURA_WORK_H

#include <stdlib.h>

#include "axis.h"
#include "axis_sums.h"
#include "kernels.h"
#include "narrow.h"
#include "transpose.h"
#include "wide.h"

/* Rows of the block that one component must look at. */
struct segment {
    int32_t start, n; /* in listed, and rows of y */
};

struct work {
    const struct mixtura_model *model;
    int64_t K, d, form;
    int64_t block;  /* rows in a block */
    int64_t stride; /* between columns; not a power of two, so that they share no cache set */
    int64_t ld;    /* row stride of wide blocks: d rounded up to VL */
    int wide;      /* triangular forms with many columns */
    int screen;    /* wide: whether screening may pay; see screen.h */
    int screened;  /* whether this block was */
    int stored;    /* whitened rows of every component are kept between the two halves */
    int pairs;     /* tied: scatter from pairs of components, not one by one */

    double *x;      /* the block */
    double *z;      /* tied: whitened block, by columns */
    double *bar;    /* tied: mean deviation of each row, by columns */
    double *y;      /* whitened rows, of every component if stored */
    double *tmp;    /* rows of one component, gathered or scaled */
    double *tmp2;   /* the same, before whitening */
    double *square; /* wide: squared lengths, lane by lane */
    double *log_p;  /* K columns of weighted log densities, then of exp(.. - best) */
    double *best;   /* largest log_p of each row */
    double *log_density;
    double *share;    /* 1 / sum over components of exp(.. - best) */
    double *weight;   /* sample weights of the block; 0 for rows past the end */
    double *r;        /* responsibilities of one component */
    double *r_active; /* the same for the listed rows only */
    int32_t *active;
    int32_t *some; /* K: those components that sums are taken of side by side */
    double *cut;   /* K: log densities this far below the best do not matter */
    int32_t *live; /* K: whether any in this block does */
    int hiding;      /* whether some may be out of sight of the whole block */
    int32_t *hidden; /* K: which, then; see sight.h */

    int64_t lead;   /* columns that screening looks at */
    int64_t y_rows; /* that y has room for */
    ivec *guess;    /* likeliest component of each row */
    int32_t *listed;
    struct segment *segments; /* 2 K: rows with this guess, then other rows */

    double *shift;  /* K: log weight + log norm */
    double *packed; /* wide: packed whitening matrices */
    double *means;  /* wide: padded means. tied: whitened means about the centre. Else about origin */
    double *centre; /* tied; diag and spherical: an origin */
    double *scale;  /* diag, spherical: K x d */
    double *offset; /* diag, spherical: K x d; see AXIS_FUSED */
    double *half;   /* K: what squared lengths in log densities are multiplied by */
    double *far;    /* diag, spherical: K; the mean's largest distance from origin, in deviations */
    double *distance; /* spherical: K columns of squared whitened lengths */

    double *sums; /* accumulators, from here to sums_end */
    double *count;
    double *first;
    double *second;
    double *pair;
    double *sums_end;
    double *raw_count; /* sums of rows as they lie in the block; see raw.h */
    double *raw_first;
    double *raw_second;
    double *spare; /* sums nobody reads */
    int64_t pair_ld;
    vec loglik;
    int unweighted; /* rows past the end apart, all weights are 1 and only their sums are wanted */
    int64_t held;   /* vectors of rows that stay in the block from pass to pass, or 0 */
    const char *ahead; /* where the table's next rows lie, and their bytes; see fetch_ahead */
    int64_t ahead_bytes;
    /* What rows are read relative to, with room for VL numbers behind, or NULL. */
    const mixtura_double *origin;
    int how;      /* diag, spherical: how rows are whitened; see axis.h */
    int plainly;  /* rows may be summed as they lie in the block, where that loses no digits */
    int32_t *raw; /* K: for which components */
    int shifted;  /* origin is centre, and means are told about 0 */
    int32_t *labels; /* where the likeliest component of each row goes, or NULL */
};

/* Hand out the next n doubles, aligned to a cache line; p == NULL only measures. */
static double *carve(char *base, int64_t *used, int64_t n)
{
    double *p = base ? (double *)(void *)(base + *used) : 0;
    *used += ROUND_UP(n, 8) * 8;
    return p;
}

static int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }

static void work_carve(struct work *w, char *base, int64_t *used)
{
    int64_t K = w->K, d = w->d, ld = w->ld, B = w->stride;
    int tied = w->form == FORM_TIED, full = w->form == FORM_FULL;
    int axis = !full && !tied;
    int64_t cells = at_least(at_least(d, w->wide ? ld : 0), w->pair_ld) * B;
    w->x = carve(base, used, cells);
    w->z = carve(base, used, tied ? d * B : 0);
    w->bar = carve(base, used, tied ? d * B : 0);
    w->y = carve(base, used, w->wide ? w->y_rows * ld : (w->stored ? K : 1) * cells);
    w->tmp = carve(base, used, cells);
    w->tmp2 = carve(base, used, cells);
    w->square = carve(base, used, w->wide ? B * VL : 0);
    w->guess = (ivec *)(void *)carve(base, used, w->screen ? B : 0);
    w->listed = (int32_t *)(void *)carve(base, used, w->screen ? w->y_rows : 0);
    w->segments = (struct segment *)(void *)carve(base, used, w->screen ? 2 * K : 0);
    w->log_p = carve(base, used, K * B);
    w->best = carve(base, used, B);
    w->log_density = carve(base, used, B);
    w->share = carve(base, used, B);
    w->weight = carve(base, used, B);
    w->r = carve(base, used, B);
    w->r_active = carve(base, used, B);
    w->active = (int32_t *)(void *)carve(base, used, B);
    w->some = (int32_t *)(void *)carve(base, used, K);
    w->raw = (int32_t *)(void *)carve(base, used, K);
    w->cut = carve(base, used, K);
    w->live = (int32_t *)(void *)carve(base, used, K);
    w->hidden = (int32_t *)(void *)carve(base, used, K);
    w->shift = carve(base, used, K);
    w->packed = carve(base, used, w->wide ? (full ? K : 1) * wide_packed_size(d, ld) : 0);
    w->means = carve(base, used, K * ld);
    w->centre = carve(base, used, ld + VL);
    w->scale = carve(base, used, axis ? K * d : 0);
    w->offset = carve(base, used, axis ? K * d : 0);
    w->half = carve(base, used, K);
    w->far = carve(base, used, K);
    w->distance = carve(base, used, w->form == FORM_SPHERICAL ? K * B : 0);
    w->sums = carve(base, used, 0);
    w->count = carve(base, used, K * VL);
    w->first = carve(base, used, K * ld * VL);
    if (axis)
        w->second = carve(base, used, K * d * VL);
    else if (w->wide)
        w->second = carve(base, used, (full ? K : 1) * ld * ld);
    else
        w->second = carve(base, used, (full ? K : 1) * TRIANGLE(d) * VL);
    int64_t P = w->pair_ld;
    w->pair = carve(base, used, w->pairs ? (K <= NARROW_MAX ? TRIANGLE(K) * VL : P * P) : 0);
    w->raw_count = carve(base, used, full ? 0 : K * VL);
    w->raw_first = carve(base, used, full ? 0 : K * d * VL);
    w->raw_second = carve(base, used, axis ? K * d * VL : 0);
    w->sums_end = carve(base, used, 0);
    w->spare = carve(base, used, NARROW_MAX * VL);
}

/* Whether a triangle of products of responsibilities costs less than one of columns for each
 * component. Above NARROW_MAX the former is made of whole squares, of rows that are turned first. */
static int pairs_pay(int64_t K, int64_t d)
{
    int64_t squares = ROUND_UP(K, VL);
    return (K <= NARROW_MAX ? TRIANGLE(K) : squares * (squares + VL)) < K * TRIANGLE(d);
}

/* Returns the memory to free, or NULL. Blocks are at most `block` rows when all components
 * are looked at, and have room for at least `room`. */
static void *work_open(struct work *w, int64_t K, int64_t d, int64_t form, int64_t room)
{
    memset(w, 0, sizeof *w);
    w->K = K;
    w->d = d;
    w->form = form;
    w->wide = d > NARROW_MAX && (form == FORM_FULL || form == FORM_TIED);
    w->ld = w->wide ? ROUND_UP(d, VL) : d;
    if (w->wide) {
        w->block = WIDE_BLOCK;
        /* The tied form whitens a row once, whatever K, and so has room for more of them. */
        while (form == FORM_TIED && 2 * w->block <= SCREEN_BLOCK &&
               2 * w->block * w->ld * (int64_t)sizeof(double) <= 1 << 16)
            w->block *= 2;
        w->screen = form == FORM_FULL && K >= 3 && w->ld >= 32;
        w->lead = ROUND_UP(at_least(w->ld / 4, 1), 2 * VL);
    } else {
        w->block = 256;
        while (w->block > 32 && (d * w->block * (int64_t)sizeof(double) > 1 << 17 ||
                                 K * w->block * (int64_t)sizeof(double) > 1 << 18))
            w->block /= 2;
    }
    /* Whitened rows are worth keeping while they stay in cache; those of many columns also in
     * shorter blocks, for to whiten them again costs more. */
    int shorter = !w->wide && d >= 8;
    int64_t line = K * w->ld * (int64_t)sizeof(double);
    int64_t most = w->wide ? 1 << 22 : shorter ? 1 << 19 : 1 << 18;
    w->stored = form == FORM_FULL && line * (shorter ? 64 : w->block) <= most;
    while (w->stored && line * w->block > most)
        w->block /= 2;
    if (w->screen)
        w->block = SCREEN_BLOCK;
    w->stride = at_least(w->block, room) + 24;
    /* Memory that a block does not need is never touched. */
    if (w->wide)
        w->y_rows = at_least(w->stored ? K * w->stride : w->stride,
                             w->screen ? 4 * w->stride + 2 * TILE_ROWS * K : 0);
    w->pairs = form == FORM_TIED && (w->wide || pairs_pay(K, d));
    w->pair_ld = w->pairs && K > NARROW_MAX ? ROUND_UP(K, VL) : 0;
    int64_t used = 0;
    work_carve(w, 0, &used);
    char *memory = malloc((size_t)used + 64);
    if (memory) {
        used = 0;
        work_carve(w, memory + (64 - (uintptr_t)memory % 64) % 64, &used);
    }
    return memory;
}

/* As many numbers as a vec holds, as they lie in a table. */
typedef mixtura_double exact __attribute__((vector_size(VL * 8)));
typedef mixtura_double exact_any __attribute__((vector_size(VL * 8), aligned(8), may_alias));
typedef float floats_any __attribute__((vector_size(VL * 4), aligned(4), may_alias));

/* Whole squares of rows start..start+n into the columns of the block. A last square of columns
 * reads on into the next row, so the table's last rows are left. Returns how many are read. */
INLINE int64_t read_squares(struct work *w, const struct mixtura_data *data, const int single,
                            const int about, int64_t start, int64_t n)
{
    int64_t d = w->d, last = data->n * d - VL, i = 0;
    for (; i + VL <= n && (start + i + VL - 1) * d + (d - 1) / VL * VL <= last; i += VL)
        for (int64_t j = 0; j < d; j += VL) {
            const mixtura_double *origin = w->origin + j;
            vec square[VL];
            UNROLL
            for (int t = 0; t < VL; t++) {
                int64_t at = (start + i + t) * d + j;
                if (single && !about) {
                    square[t] = __builtin_convertvector(
                        *(const floats_any *)((const float *)data->x + at), vec);
                    continue;
                }
                exact x = single
                              ? __builtin_convertvector(
                                    *(const floats_any *)((const float *)data->x + at), exact)
                              : (exact)*(const exact_any *)((const mixtura_double *)data->x + at);
                if (about)
                    x -= (exact)*(const exact_any *)origin;
                square[t] = __builtin_convertvector(x, vec);
            }
            transpose(square);
            for (int t = 0; t < VL && j + t < d; t++)
                store(w->x + (j + t) * w->stride + i, square[t]);
        }
    return i;
}

/* Rows start..start+n into the block, as doubles, about w->origin if there is one. Rows of
 * zero weight, and the padding to whole vectors, become the first component's mean: finite,
 * and of no weight. */
INLINE void read_rows_as(struct work *w, const struct mixtura_data *data, const int single,
                         const int about, int64_t start, int64_t n, int64_t padded)
{
    int64_t d = w->d, B = w->stride, row = w->wide ? w->ld : 1, col = w->wide ? 1 : B;
    const mixtura_double *xd = (const mixtura_double *)data->x + (single ? 0 : start * d);
    const float *xs = (const float *)data->x + (single ? start * d : 0);
    const mixtura_double *origin = w->origin;
#define FILL(j) (w->model->means[j] - (w->shifted ? w->centre[j] : 0.0))
#define VALUE(i, j)                                                                        \
    (single && !about ? (double)xs[(i) * d + (j)] : ABOUT(i, j))
#define ABOUT(i, j)                                                                        \
    ((single ? (mixtura_double)xs[(i) * d + (j)] : xd[(i) * d + (j)]) -                    \
     (about ? origin[j] : 0.0))
    if (w->wide) {
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < d; j++)
                w->x[i * row + j] = VALUE(i, j);
        for (int64_t i = 0; i < padded; i++)
            for (int64_t j = d; j < row; j++)
                w->x[i * row + j] = 0.0;
    } else if (d == 2) { /* the compiler turns this stride into shuffles */
        for (int64_t i = 0; i < n; i++) {
            w->x[i] = VALUE(i, 0);
            w->x[B + i] = VALUE(i, 1);
        }
    } else {
        int64_t read = 2 * d >= VL ? read_squares(w, data, single, about, start, n) : 0;
        for (int64_t i = read; i < n; i++)
            for (int64_t j = 0; j < d; j++)
                w->x[i + j * B] = VALUE(i, j);
    }
    for (int64_t i = n; i < padded; i++)
        for (int64_t j = 0; j < d; j++)
            w->x[i * row + j * col] = FILL(j);
    for (int64_t i = 0; i < padded; i++)
        w->weight[i] = i < n ? (data->weight ? data->weight[start + i] : 1.0) : 0.0;
    if (data->weight)
        for (int64_t i = 0; i < n; i++)
            if (w->weight[i] == 0.0)
                for (int64_t j = 0; j < d; j++)
                    w->x[i * row + j * col] = FILL(j);
#undef FILL
#undef VALUE
#undef ABOUT
}

/* Asks for the k-th of K parts of the next block while component k is worked on. A block is read
 * at once and in many short runs, which memory cannot foresee. */
static void fetch_ahead(const struct work *w, int64_t k)
{
    int64_t end = w->ahead_bytes * (k + 1) / w->K;
    for (int64_t at = w->ahead_bytes * k / w->K; at < end; at += 64)
        __builtin_prefetch(w->ahead + at, 0, 2);
}

/* Returns the number of vectors of rows that the block holds. */
static int64_t read_rows(struct work *w, const struct mixtura_data *data, int64_t start,
                         int64_t n)
{
    int64_t padded = ROUND_UP(n, w->wide ? ROW_STEP : VL);
    int64_t row = w->d * (data->single ? 4 : 8);
    w->ahead = (const char *)data->x + (start + n) * row;
    w->ahead_bytes = LEAST(n, data->n - start - n) * row;
    if (w->origin) {
        if (data->single)
            read_rows_as(w, data, 1, 1, start, n, padded);
        else
            read_rows_as(w, data, 0, 1, start, n, padded);
    } else if (data->single) {
        read_rows_as(w, data, 1, 0, start, n, padded);
    } else {
        read_rows_as(w, data, 0, 0, start, n, padded);
    }
    return padded / VL;
}

#endif
