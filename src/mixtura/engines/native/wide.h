/* Kernels for many columns: small matrix products with register tiles.
 *
 * Rows are held row by row, padded with zeros to a multiple of VL columns, so a vector
 * holds VL outputs of one row. That makes the scatter free of reductions across lanes,
 * and lets a component take any list of rows without waste.
 */
#ifndef MIXTURA_WIDE_H
#define MIXTURA_WIDE_H

#include "simd.h"

/* A tile is TILE_ROWS x 2 vectors of accumulators: 16 of 32 registers (with 24 of them a pass
 * took 5 % longer), or 12 of 16. */
#define TILE_ROWS (MANY_REGISTERS ? 8 : 6)
#define WIDE_BLOCK 48   /* rows in a block: a multiple of TILE_ROWS and of VL */
#define ROW_STEP (VL == 16 ? 48 : 24) /* whole tiles and whole vectors */
#define SCREEN_BLOCK 384 /* the same, when screening leaves few rows to each component */
#define ROUND_UP(n, m) (((n) + (m) - 1) / (m) * (m))

/* So few columns beyond whole vectors are sums along a row: in a tile most lanes would be idle. */
#define TAIL (VL > 4 ? 2 : VL > 2)

/* The columns of d that are worked out in tiles, of rows of ld. */
static int64_t wide_tiled(int64_t d, int64_t ld)
{
    int64_t whole = d / VL * VL;
    return whole && d - whole <= TAIL ? whole : ld;
}

/* Doubles taken by the packed weights of the first cols columns, in tiles. */
static int64_t wide_tiles_size(int64_t cols)
{
    int64_t size = 0;
    for (int64_t j = 0; j < cols; j += 2 * VL)
        size += (j + 2 * VL < cols ? j + 2 * VL : cols) * 2 * VL;
    return size;
}

/* Doubles taken by one packed whitening matrix. */
static int64_t wide_packed_size(int64_t d, int64_t ld)
{
    int64_t tiled = wide_tiled(d, ld);
    return wide_tiles_size(tiled) + (tiled < d ? (d - tiled) * ld : 0);
}

/* Pack lower triangular W (d x d) so that the product reads it in order: for each group
 * of 2 VL outputs, for each input c that they need, the 2 VL weights; then the tail's rows. */
static void wide_pack(int64_t d, int64_t ld, const double *restrict whiten,
                      double *restrict packed)
{
    int64_t tiled = wide_tiled(d, ld);
    for (int64_t j = 0; j < tiled; j += 2 * VL) {
        int64_t end = j + 2 * VL < tiled ? j + 2 * VL : tiled;
        memset(packed, 0, (size_t)(end * 2 * VL) * sizeof *packed);
        for (int64_t o = j; o < j + 2 * VL && o < d && o < end; o++)
            for (int64_t c = 0; c <= o; c++)
                packed[c * 2 * VL + o - j] = whiten[o * d + c];
        packed += end * 2 * VL;
    }
    for (int64_t o = tiled; o < d; o++, packed += ld)
        for (int64_t c = 0; c < ld; c++)
            packed[c] = c <= o ? whiten[o * d + c] : 0.0;
}

/* TILE_ROWS rows, outputs j.. of V vectors, in place: the columns before j are still
 * x - mean, since groups are taken from the last to the first. */
INLINE void wide_tile(const int V, double *restrict y, int64_t ld,
                      const double *restrict packed, int64_t j, int fresh,
                      double *restrict square)
{
    vec a[TILE_ROWS][2];
    UNROLL
    for (int i = 0; i < TILE_ROWS; i++)
        for (int v = 0; v < V; v++)
            a[i][v] = (vec){0};
    int64_t c = 0;
    for (; c < j + VL; c++) {
        vec w0 = load(packed + c * 2 * VL);
        vec w1 = V > 1 ? load(packed + c * 2 * VL + VL) : w0;
        UNROLL
        for (int i = 0; i < TILE_ROWS; i++) {
            vec s = splat(y[i * ld + c]);
            a[i][0] += s * w0;
            if (V > 1)
                a[i][1] += s * w1;
        }
    }
    if (V > 1)
        for (; c < j + 2 * VL; c++) { /* inputs that only the second vector needs */
            vec w1 = load(packed + c * 2 * VL + VL);
            UNROLL
            for (int i = 0; i < TILE_ROWS; i++)
                a[i][1] += splat(y[i * ld + c]) * w1;
        }
    UNROLL
    for (int i = 0; i < TILE_ROWS; i++) {
        vec q = a[i][0] * a[i][0];
        if (!fresh)
            q += load(square + i * VL);
        store(y + i * ld + j, a[i][0]);
        if (V > 1) {
            q += a[i][1] * a[i][1];
            store(y + i * ld + j + VL, a[i][1]);
        }
        store(square + i * VL, q);
    }
}

/* One tile of x - mean. */
INLINE void wide_centre(const double *restrict x, const int32_t *restrict rows, int64_t i,
                        int64_t ld, int64_t cols, const double *restrict mean,
                        double *restrict y)
{
    for (int64_t t = i; t < i + TILE_ROWS; t++) {
        const double *xt = x + (rows ? rows[t] : t) * ld;
        for (int64_t c = 0; c < cols; c += VL)
            store(y + t * ld + c, load(xt + c) - load(mean + c));
    }
}

/* The last T columns of one tile, in place, while those before are still x - mean. */
INLINE void wide_tail(const int T, double *restrict y, int64_t ld,
                      const double *restrict weights, double *restrict square)
{
    for (int i = 0; i < TILE_ROWS; i++) {
        const double *yi = y + i * ld;
        vec a[2], found = {0};
        UNROLL
        for (int t = 0; t < T; t++)
            a[t] = (vec){0};
        for (int64_t c = 0; c < ld; c += VL) {
            vec x = load(yi + c);
            UNROLL
            for (int t = 0; t < T; t++)
                a[t] += x * load(weights + t * ld + c);
        }
        UNROLL
        for (int t = 0; t < T; t++)
            found[t] = sum_lanes(a[t]);
        store(y + i * ld + ld - VL, found);
        store(square + i * VL, found * found);
    }
}

/* The first cols columns of y = W (x - mean), for n rows (n a multiple of TILE_ROWS);
 * square (n x VL) receives the squares of y summed lane by lane. Row i of x is
 * x + rows[i] ld, or x + i ld. cols is ld, or less and a multiple of 2 VL. */
static void wide_product(const double *restrict x, const int32_t *restrict rows, int64_t n,
                         int64_t d, int64_t ld, int64_t cols, const double *restrict mean,
                         const double *restrict packed, double *restrict y,
                         double *restrict square)
{
    int64_t tiled = cols < ld ? cols : wide_tiled(d, ld);
    int64_t last = (tiled - 1) / (2 * VL) * (2 * VL);
    int64_t size = wide_tiles_size(tiled);
    wide_centre(x, rows, 0, ld, cols, mean, y);
    for (int64_t i = 0; i < n; i += TILE_ROWS) {
        double *yi = y + i * ld;
        const double *p = packed + size;
        /* One tile ahead, so that no read waits for a store just made. */
        if (i + TILE_ROWS < n)
            wide_centre(x, rows, i + TILE_ROWS, ld, cols, mean, y);
        if (tiled < cols && tiled + 1 == d)
            wide_tail(1, yi, ld, p, square + i * VL);
        else if (tiled < cols)
            wide_tail(2, yi, ld, p, square + i * VL);
        for (int64_t j = last; j >= 0; j -= 2 * VL) {
            int64_t end = j + 2 * VL < tiled ? j + 2 * VL : tiled;
            int fresh = j == last && tiled == cols;
            p -= end * 2 * VL;
            if (end - j == 2 * VL)
                wide_tile(2, yi, ld, p, j, fresh, square + i * VL);
            else
                wide_tile(1, yi, ld, p, j, fresh, square + i * VL);
        }
    }
}

/* second[j.., l..] += sum over m rows of y_j y_l, for J rows j and V vectors of l. */
INLINE void wide_sums_tile(const int J, const int V, const double *restrict y, int64_t m,
                           int64_t ld, int64_t j, int64_t l, double *restrict second)
{
    vec a[TILE_ROWS > VL ? TILE_ROWS : VL][2];
    UNROLL
    for (int t = 0; t < J; t++)
        for (int v = 0; v < V; v++)
            a[t][v] = load(second + (j + t) * ld + l + v * VL);
    for (int64_t i = 0; i < m; i++) {
        const double *yi = y + i * ld;
        vec u0 = load(yi + l);
        vec u1 = V > 1 ? load(yi + l + VL) : u0;
        UNROLL
        for (int t = 0; t < J; t++) {
            vec s = splat(yi[j + t]);
            a[t][0] += s * u0;
            if (V > 1)
                a[t][1] += s * u1;
        }
    }
    UNROLL
    for (int t = 0; t < J; t++)
        for (int v = 0; v < V; v++)
            store(second + (j + t) * ld + l + v * VL, a[t][v]);
}

/* Lower triangle of second (ld x ld) += Y'Y over the m rows of y, of the first d columns. Entries
 * above the diagonal, within a vector of it, are junk. */
static void wide_sums(const double *restrict y, int64_t m, int64_t d, int64_t ld,
                      double *restrict second)
{
    for (int64_t l = 0; l < d; l += 2 * VL) {
        if (d - l <= 2 && l + VL > d) {
            wide_sums_tile(2, 1, y, m, ld, l, l, second);
            break;
        }
        wide_sums_tile(VL, 1, y, m, ld, l, l, second);
        int64_t j = l + VL;
        for (; j + 4 < d && j + TILE_ROWS <= ld; j += TILE_ROWS)
            wide_sums_tile(TILE_ROWS, 2, y, m, ld, j, l, second);
        for (; j + 2 < d && j + 4 <= ld; j += 4)
            wide_sums_tile(4, 2, y, m, ld, j, l, second);
        for (; j < d; j += 2)
            wide_sums_tile(2, 2, y, m, ld, j, l, second);
    }
}

/* V vectors of columns of wide_scale: sums stay in registers, rows are read in order. */
INLINE void wide_scale_part(const int V, const double *y, const int32_t *restrict rows,
                            int64_t m, int64_t ld, const double *restrict root, double *out,
                            double *restrict first)
{
    vec f[4];
    for (int v = 0; v < V; v++)
        f[v] = (vec){0};
    for (int64_t i = 0; i < m; i++) {
        const double *yi = y + (rows ? rows[i] : i) * ld;
        vec s = splat(root[i]);
        UNROLL
        for (int v = 0; v < V; v++) {
            vec u = s * load(yi + v * VL);
            f[v] += s * u;
            store(out + i * ld + v * VL, u);
        }
    }
    for (int v = 0; first && v < V; v++)
        store(first + v * VL, load(first + v * VL) + f[v]);
}

/* Copy rows scaled by sqrt(r), so that their plain cross product is weighted by r, and
 * add r y to first. Row i is y + rows[i] ld, or y + i ld; its weight is weight[i]. out may
 * be y when rows is NULL. */
static void wide_scale(const double *y, const int32_t *restrict rows, int64_t m, int64_t ld,
                       const double *restrict weight, double *out, double *restrict first)
{
    double root[SCREEN_BLOCK];
    for (int64_t i = 0; i < m; i++)
        root[i] = __builtin_sqrt(weight[i]);
    int64_t c = 0;
    for (; c + 4 * VL <= ld; c += 4 * VL)
        wide_scale_part(4, y + c, rows, m, ld, root, out + c, first ? first + c : 0);
    for (; c < ld; c += VL)
        wide_scale_part(1, y + c, rows, m, ld, root, out + c, first ? first + c : 0);
}

#endif
