/* From rows to columns and back, by squares of VL x VL numbers that fit into registers. Column by
 * column each number would be a load and a store of its own, which in float32 takes as long as
 * the arithmetic of a diagonal model. */
#ifndef MIXTURA_TRANSPOSE_H
#define MIXTURA_TRANSPOSE_H

#if VL == 16
#define ZIP_LOW(a, b)                                                                          \
    SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(a, b)                                                                         \
    SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VL == 8
#define ZIP_LOW(a, b) SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(a, b) SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif VL == 4
#define ZIP_LOW(a, b) SHUFFLE(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b) SHUFFLE(a, b, 2, 6, 3, 7)
#else
#define ZIP_LOW(a, b) SHUFFLE(a, b, 0, 2)
#define ZIP_HIGH(a, b) SHUFFLE(a, b, 1, 3)
#endif

/* Dealing the two halves of a pack into each other log2(VL) times transposes it. */
INLINE void transpose(vec *square)
{
    UNROLL
    for (int width = 1; width < VL; width *= 2) {
        vec half[VL];
        UNROLL
        for (int t = 0; t < VL / 2; t++) {
            half[2 * t] = ZIP_LOW(square[t], square[t + VL / 2]);
            half[2 * t + 1] = ZIP_HIGH(square[t], square[t + VL / 2]);
        }
        UNROLL
        for (int t = 0; t < VL; t++)
            square[t] = half[t];
    }
}

/* Move a block from rows to columns: n rows, a multiple of VL, of ld numbers, of which d count.
 * Reads up to the next multiple of VL numbers of a row. */
static void rows_to_columns(const double *restrict y, int64_t ld, int64_t d, int64_t n,
                            double *restrict z, int64_t block)
{
    for (int64_t i = 0; i < n; i += VL)
        for (int64_t j = 0; j < d; j += VL) {
            vec square[VL];
            UNROLL
            for (int t = 0; t < VL; t++)
                square[t] = load(y + (i + t) * ld + j);
            transpose(square);
            for (int t = 0; t < VL && j + t < d; t++)
                store(z + (j + t) * block + i, square[t]);
        }
}

/* And back; numbers d to ld of each row, less than VL of them, become 0. ld and n are multiples
 * of VL. */
static void columns_to_rows(const double *restrict z, int64_t block, int64_t d, int64_t n,
                            double *restrict y, int64_t ld)
{
    for (int64_t i = 0; i < n; i += VL)
        for (int64_t j = 0; j < ld; j += VL) {
            vec square[VL];
            for (int t = 0; t < VL; t++)
                square[t] = j + t < d ? load(z + (j + t) * block + i) : splat(0.0);
            transpose(square);
            UNROLL
            for (int t = 0; t < VL; t++)
                store(y + (i + t) * ld + j, square[t]);
        }
}

#endif
