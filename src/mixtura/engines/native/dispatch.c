/* The exported functions: each goes to the best variant that this CPU can run. */
#include "kernels.h"

#include <stdlib.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#ifdef MIXTURA_X86

#include <cpuid.h>

extern const struct mixtura_kernels mixtura_kernels_v2;
extern const struct mixtura_kernels mixtura_kernels_v3;
extern const struct mixtura_kernels mixtura_kernels_v4;

/* Register state that the operating system saves; CPU features count only with it. */
static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* The x86-64 level of this machine, as far as the variants differ: 2, 3 or 4. */
static int machine_level(void)
{
    unsigned a, b, c, d, leaf7;
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
    const unsigned movbe = 1u << 22;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 2;
    unsigned need = fma | osxsave | avx | f16c | movbe;
    if ((c & need) != need || !__get_cpuid_count(7, 0, &a, &leaf7, &c, &d))
        return 2;
    unsigned bmi1_avx2_bmi2 = 1u << 3 | 1u << 5 | 1u << 8;
    if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !(c & 1u << 5)) /* lzcnt */
        return 2;
    uint64_t state = saved_state();
    if ((leaf7 & bmi1_avx2_bmi2) != bmi1_avx2_bmi2 || (state & 0x06) != 0x06)
        return 2;
    unsigned f_dq_cd_bw_vl = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
    if ((leaf7 & f_dq_cd_bw_vl) != f_dq_cd_bw_vl || (state & 0xe6) != 0xe6)
        return 3;
    return 4;
}

/* MIXTURA_NATIVE_LEVEL=2 or 3 asks for less than the machine has (for tests). */
static const struct mixtura_kernels *kernels(void)
{
    static const struct mixtura_kernels *volatile chosen;
    if (!chosen) {
        int level = machine_level();
        const char *asked = getenv("MIXTURA_NATIVE_LEVEL");
        if (asked && asked[0] >= '2' && asked[0] - '0' < level)
            level = asked[0] - '0';
        chosen = level >= 4   ? &mixtura_kernels_v4
                 : level == 3 ? &mixtura_kernels_v3
                              : &mixtura_kernels_v2;
    }
    return chosen;
}

#else

extern const struct mixtura_kernels mixtura_kernels_plain;

static const struct mixtura_kernels *kernels(void) { return &mixtura_kernels_plain; }

#endif

EXPORT const char *mixtura_variant(void) { return kernels()->name; }

#define EXPORTED(name, record) \
    EXPORT int mixtura_##name(record *asked) { return kernels()->name(asked); }
MIXTURA_KERNELS(EXPORTED)
#undef EXPORTED

EXPORT int mixtura_pass(const struct mixtura_data *data, const struct mixtura_model *model,
                        struct mixtura_moments *out)
{
    return kernels()->pass(data, model, out);
}

EXPORT int mixtura_rows(const struct mixtura_data *data, const struct mixtura_model *model,
                        const struct mixtura_rows *out)
{
    return kernels()->rows(data, model, out);
}

EXPORT int mixtura_em(const struct mixtura_data *data, struct mixtura_em *em)
{
    return kernels()->em(data, em);
}

EXPORT int mixtura_climb(const struct mixtura_data *data, struct mixtura_climb *climb)
{
    return kernels()->climb(data, climb);
}

EXPORT int mixtura_contest(const struct mixtura_data *data, struct mixtura_contest *contest)
{
    return kernels()->contest(data, contest);
}

EXPORT int mixtura_partial(const struct mixtura_data *data, struct mixtura_partial *partial)
{
    return kernels()->partial(data, partial);
}

EXPORT int mixtura_levels(const struct mixtura_data *data, struct mixtura_levels *levels)
{
    return kernels()->levels(data, levels);
}

EXPORT int mixtura_neighbours(const struct mixtura_model *model, int64_t d, const double *roots,
                              int64_t first, int64_t last, const struct mixtura_near *near)
{
    return kernels()->neighbours(model, d, roots, first, last, near);
}

EXPORT int mixtura_labelled(const struct mixtura_data *data, const struct mixtura_model *model,
                            struct mixtura_prune *prune, struct mixtura_moments *out)
{
    return kernels()->labelled(data, model, prune, out);
}

EXPORT int mixtura_pruned(const struct mixtura_data *data, const struct mixtura_model *model,
                          const struct mixtura_near *near, struct mixtura_prune *prune,
                          struct mixtura_moments *out)
{
    return kernels()->pruned(data, model, near, prune, out);
}

EXPORT int mixtura_truncated(const struct mixtura_data *data, const struct mixtura_model *model,
                             const struct mixtura_near *near, struct mixtura_kept *kept,
                             struct mixtura_moments *out)
{
    return kernels()->truncated(data, model, near, kept, out);
}

EXPORT int mixtura_single(const struct mixtura_data *data, const struct mixtura_model *model,
                          struct mixtura_moments *out)
{
    return kernels()->single(data, model, out);
}
