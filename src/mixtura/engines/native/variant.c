/* One CPU variant of all kernels. The build compiles this file once per variant, each
 * time with other machine flags and another MIXTURA_VARIANT. */
#include "ancestry.h"
#include "belief.h"
#include "blocks.h"
#include "chain.h"
#include "contest.h"
#include "driven.h"
#include "gaps.h"
#include "holes.h"
#include "levels.h"
#include "likeliest.h"
#include "longest.h"
#include "lost.h"
#include "merging.h"
#include "partial.h"
#include "partition.h"
#include "placing.h"
#include "prune.h"
#include "removals.h"
#include "sample.h"
#include "seeding.h"
#include "stays.h"
#include "truncate.h"

#define NAME_(v) mixtura_kernels_##v
#define NAME(v) NAME_(v)
#define TEXT_(v) #v
#define TEXT(v) TEXT_(v)

#define SINGLE_(v) mixtura_single_##v
#define SINGLE(v) SINGLE_(v)
extern int SINGLE(MIXTURA_VARIANT)(const struct mixtura_data *, const struct mixtura_model *,
                                   struct mixtura_moments *);

const struct mixtura_kernels NAME(MIXTURA_VARIANT) = {
    TEXT(MIXTURA_VARIANT), pass, rows, em, SINGLE(MIXTURA_VARIANT), neighbours, labelled, pruned, truncated,
    climb, contest, partial, levels,
#define ENTRY(name, record) name,
    MIXTURA_KERNELS(ENTRY)
#undef ENTRY
};
