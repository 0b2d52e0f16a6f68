/* The entry points of the library and the table that each CPU variant fills.
 *
 * Every variant (x86-64-v2, -v3, -v4, or one plain build elsewhere) compiles the
 * same sources into its own table; dispatch.c picks a table once, by CPU features.
 */
#ifndef MIXTURA_KERNELS_H
#define MIXTURA_KERNELS_H

#include <stdint.h>

#include "networks.h"

enum { FORM_FULL = 0, FORM_TIED = 1, FORM_DIAG = 2, FORM_SPHERICAL = 3 };

/* A double where `double` itself means float32; see single.c. */
typedef double mixtura_double;

/* Rows to read. x is n x d, row major, float32 or float64; weight may be NULL. */
struct mixtura_data {
    const void *x;
    const double *weight;
    int64_t n;
    int64_t d;
    int64_t single; /* non-zero: x holds float32; 2: about what the means are about too */
    int64_t near;   /* non-zero: rows beside each other lie near each other; see sight.h */
};

/* A mixture in whitened form. The shape of `whiten` follows `form`. */
struct mixtura_model {
    const double *log_weights; /* K, -inf allowed */
    const double *means;       /* K x d */
    const double *whiten;
    const double *log_norm; /* K */
    int64_t K;
    int64_t form;
};

/* Sums of one pass: moments about the current means, in whitened coordinates. */
struct mixtura_moments {
    double loglik;
    double *count;  /* K */
    double *first;  /* K x d */
    double *second; /* full K x d x d, tied d x d, diag K x d, spherical K */
};

/* The neighbours of every component; near.h says what they are. */
struct mixtura_near {
    int64_t limit;   /* neighbours that there is room for, per component */
    double cap;      /* whitened distance up to which they are told */
    double typical;  /* whitened distance of a typical row from its component */
    int64_t nearest; /* non-zero: list the nearest `limit`, whether or not they may be skipped */
    int32_t *length; /* K: how many; -1 where there are more than the limit */
    int32_t *usual;  /* K: how many a typical row needs; K where length is -1 */
    int32_t *index;  /* K x limit: which, nearest first */
    double *radius2; /* K x limit: squared distance up to which they may be skipped */
};

/* What a pruned pass knows of each row, and what it did. */
struct mixtura_prune {
    int32_t *labels;   /* n: likeliest components, as guessed, then as found */
    int64_t evaluated; /* out: log densities worked out */
    int64_t plain;     /* out: rows that looked at every component */
};

/* A truncated pass: each row keeps few components, and looks for better ones near them. */
struct mixtura_kept {
    int32_t *kept;     /* n x keep, likeliest first, -1 where there are fewer */
    int64_t keep;      /* at most KEEP_MAX */
    int64_t fresh;     /* non-zero: kept is not read, and every component is looked at */
    int64_t evaluated; /* out: log densities worked out */
};

/* Per-row outputs; any may be NULL. `*_single` says that the output is float32. */
struct mixtura_rows {
    void *log_density;           /* n */
    void *responsibilities;      /* n x K */
    int64_t *labels;             /* n */
    void *component_log_density; /* n x K, without the log weight */
    int64_t log_density_single;
    int64_t responsibilities_single;
    int64_t component_single;
};

/* Whole EM iterations: parameters and their sums are read and then overwritten in place. */
struct mixtura_em {
    double *weights;     /* K */
    double *means;       /* K x d */
    double *roots; /* lower Cholesky roots or standard deviations, shape of the form */
    double *whiten;      /* out, as are the next two: what follows from those */
    double *log_weights; /* K */
    double *log_norm;    /* K */
    struct mixtura_moments sums; /* at the parameters; read only where they are known */
    int64_t known;               /* non-zero: sums are given, so there is no first E-step */
    const double *given; /* n x K: responsibilities of the first E-step, or NULL */
    const double *target;
    const double *held;
    double strength;
    double absolute;
    double *logliks; /* passes: after each */
    int64_t K;
    int64_t form;
    int64_t passes;
    int64_t done;   /* out: of the passes, those done: an M-step and an E-step each */
    int64_t failed; /* out: component whose covariance was not positive, or -1 */
    int64_t share;  /* what components share; see sharing.h */
    int64_t few;    /* turns after which common axes need be good only, see axes.h */
    double settled; /* alternations in an M-step end where nothing moves by more, relative */
    double rest;    /* no step follows one that changes the log-likelihood by no more; 0: one does */
};

/* Why a climb ended. */
enum { CLIMB_LIMIT, CLIMB_CONVERGED, CLIMB_COLLAPSED, CLIMB_ILL_DEFINED };

/* A whole climb of at most so many steps as `em` says; its log-likelihoods are one more, that of the
 * start first and that of the parameters handed back last. */
struct mixtura_climb {
    struct mixtura_em em;
    double tol;           /* a gain still to come, of all rows together, that is none */
    const double *pivots; /* the table's, for one component in the form's shape; NULL: no component
                           * is refused for its width */
    double few_rows;      /* a component of fewer is refused below `spurious`, any below `numeric` */
    double spurious;
    double numeric;
    int64_t reason; /* out */
};

/* The best of several starts, climbed to its end. `climb` is as for one climb: its parameters are
 * equal components that lend their units, its tolerance is that of the end. */
struct mixtura_contest {
    struct mixtura_climb climb;
    const double *starts; /* n_starts x n x K: responsibilities */
    int64_t n_starts;
    /* A mixture with one component less, to be split, or NULL. */
    const double *fewer_weights, *fewer_means, *fewer_roots;
    int64_t splits; /* components tried, the heaviest first */
    int64_t trial;  /* EM steps that show which is best split */
    double rough;   /* the tolerance of short climbs */
    double *values; /* out, n_starts + 1: where they ended; -inf where a singularity is on the way */
    int64_t *steps; /* out, n_starts + 1: their steps; the splits' come last */
    int64_t won;    /* out: which was climbed on; -1 where none came to its end */
};

/* Groups merged two by two until K are left; merging.h says how. */
struct mixtura_merging {
    const double *z; /* n x d */
    const double *w; /* n */
    int64_t n, d, K;
    int64_t shaped;  /* non-zero: groups of any shape, else balls of one size */
    double variance; /* the table's */
    int64_t *pairs;  /* (n - K) x 2: the second group joins the first */
};

/* Sequences of a hidden Markov chain, one after the other; chain.h says how. */
struct mixtura_chain {
    const double *initial;     /* K */
    const double *moves;       /* K x K */
    const double *log_density; /* n x K */
    const int64_t *ends;       /* sequences: where each stops */
    const double *weight;      /* sequences, or NULL: 1 */
    int64_t sequences, K;
    double *loglik;    /* out: sequences */
    double *posterior; /* out: n x K */
    double *met;       /* K x K, 0 at first: moves expected; NULL: filter only */
};

/* Sequences of a hidden semi-Markov chain; stays.h says how. A stay has lasted u steps, the last of D
 * standing for all longer ones. */
struct mixtura_stays {
    const double *initial;     /* K */
    const double *moves;       /* K x K, where stays end; or such into each step, n x K x K */
    const double *leave;       /* K x D: how likely a stay ends that has lasted so long */
    const double *keep;        /* K x D: 1 - leave */
    const double *log_density; /* n x K */
    const int64_t *ends;       /* sequences: where each stops */
    const double *weight;      /* sequences, or NULL: 1 */
    int64_t sequences, K, D;
    int64_t apart;     /* numbers between the moves into two steps: 0 where all are the same */
    double *loglik;    /* out: sequences */
    double *posterior; /* out: n x K */
    double *ahead;     /* out: n x K, P(state | the steps before); or NULL */
    double *met;       /* as moves, 0 at first: those expected; NULL: filter only */
    double *ended;     /* K x D, 0 at first: stays expected to end when they have lasted so long */
    double *stayed;    /* K x D, 0 at first: and to last on */
};

/* The same for the likeliest paths; longest.h says how. All laws are logarithms. */
struct mixtura_longest {
    const double *initial, *moves, *leave, *keep, *log_density;
    const int64_t *ends;
    int64_t sequences, K, D, apart;
    double *loglik;  /* out: sequences */
    int64_t *states; /* out: n */
};

/* Sequences of a hidden Markov chain whose transitions differ from step to step; driven.h says how. */
struct mixtura_driven {
    const double *initial;     /* K */
    const double *moves;       /* n x K x K: into each step */
    const double *log_density; /* n x K */
    const int64_t *ends;       /* sequences: where each stops */
    int64_t sequences, K;
    double *loglik;    /* out: sequences */
    double *posterior; /* out: n x K */
    double *ahead;     /* out: n x K, P(state | the steps before) */
    double *met;       /* n x K x K, 0 at first: moves into each step; NULL: filter only */
    int64_t *states;   /* out: n, the likeliest path, and nothing else; or NULL */
};

/* What steps are worth to states: log densities of a Gaussian model, or lines of a table; and the
 * sums at smoothed states. A row of which all cells are missing, or of code -1, nobody saw. */
struct mixtura_emission {
    const struct mixtura_data *data;   /* Gaussian, as are the next two, else NULL */
    const struct mixtura_model *model;
    struct mixtura_moments *moments;   /* out, or NULL */
    const double *table;               /* kinds x K; without `code` n x K */
    const int32_t *code;               /* n: the line of each step, or NULL */
    int64_t kinds;
    double *hits; /* out of kinds: kinds x K, or NULL */
};

/* Nothing tells the law at a cut; scaled numbers run out. */
enum { ROAD_NO_LAW = 1, ROAD_RUN_OUT };

/* Stretches of hidden Markov chains, to run side by side; stretches.h says how. A piece is the part
 * of one sequence that lies in one lane. */
struct mixtura_stretches {
    const struct mixtura_emission *emission;
    const double *initial; /* K */
    const double *moves;   /* K x K */
    int64_t K;
    const int64_t *cuts;   /* pieces + 1: the rows at which they begin and, the last, end */
    const int64_t *begins; /* pieces: the row at which the whole sequence begins */
    const int64_t *ends;   /* pieces: behind its last row */
    const double *weight;  /* pieces: of the sequence, or NULL: 1 */
    const int64_t *pieces; /* lanes + 1: the first of each lane */
    int64_t lanes;
    int64_t reach;    /* steps that are looked at, either way, for the law at a cut */
    double *loglik;   /* out: pieces, as are the next two: sums at smoothed states */
    double *starts;   /* K, 0 at first: first states of sequences */
    double *met;      /* K x K: moves; NULL: no sums at all */
    double *posterior; /* out: n x K, or NULL */
    int64_t back;         /* non-zero: smoothed states, else filtered ones */
    int64_t another_road; /* out: 0, or why there is no answer */
    /* Of likeliest paths; all that follows is out. */
    double *final;   /* pieces x K: what the best paths to each state are worth at the end */
    double *enter;   /* pieces x K: what they were worth before, where a piece begins within one */
    int64_t *states; /* n */
    /* Where the sequence of the last row goes on: if that is in state k there, the last `differ` of K
     * states are the last of line k of `other`, K x steps of the last lane. */
    int16_t *other;
    int64_t *differ;
    int64_t state; /* that before the first row, where its sequence began before */
};

/* Rows with missing cells, in groups of those that miss the same; gaps.h says how. */
struct mixtura_gaps {
    const void *x;        /* the cells that are there, row after row */
    const double *weight; /* or NULL */
    int64_t d, single;
    const uint8_t *seen;  /* groups x d: non-zero where cells are there */
    const int64_t *rows;  /* groups: how many */
    int64_t groups;
    const struct mixtura_model *model;  /* of whole rows */
    const double *roots;                /* full, tied: lower Cholesky roots */
    struct mixtura_moments *sums;       /* added to, or NULL */
    const struct mixtura_rows *answers; /* out; read where there are no sums */
};

/* Rows to draw. `key` and `chunk` choose the random numbers. */
struct mixtura_draw {
    const double *share; /* K: weights added up; 1 from the last component with a weight on */
    const double *means;
    const double *roots; /* lower Cholesky roots or standard deviations, shape of the form */
    int64_t K;
    int64_t d;
    int64_t form;
    const uint64_t *key; /* 2 */
    int64_t chunk;
    int64_t n;
    double *x;       /* out: n x d */
    int64_t *labels; /* out: n */
};

/* A mixture of columns of codes, and the sums of a pass over them; levels.h says how. */
struct mixtura_levels {
    const double *log_weights; /* K, -inf allowed */
    const double *table;       /* total x K: log probabilities, finite */
    double fresh;              /* the same of a level that the table never had */
    const int64_t *first;      /* d: where the levels of each column begin */
    const int64_t *many;       /* d: how many it has */
    int64_t K, total;
    double loglik; /* out, as are the next two */
    double *count; /* K */
    double *hits;  /* total x K */
};

/* Genotypes, and the sums of a pass over markers from, ..., upto - 1; ancestry.h says how. */
struct mixtura_ancestry {
    const uint8_t *codes;                         /* markers x stride */
    const double *first_copies, *second_copies;   /* 256: of both alleles, by code; 0 if missing */
    const uint8_t *haploid;                       /* markers, or null: 1 for who is single, 2 all */
    const uint8_t *single;                        /* ld: who has half the copies there */
    const double *weight;                         /* markers, or null */
    const double *Q;                              /* K x ld: shares, 1 / K past the n-th */
    const double *P;                              /* markers x K */
    double *to;                                   /* out, or null: P improved */
    double *slope, *curve;                        /* K x ld, pairs x ld, added to; or null */
    int64_t stride, bits, n, ld, K, from, upto;   /* ld: n rounded up to whole tiles */
    int64_t em;                                   /* P by EM, not by Newton's method */
    uint64_t seed;
    int64_t folds, fold, inside;                  /* 0, or folds of which one is left out or in */
    double loglik, improved;                      /* out, added to: at (Q, P) and (Q, to) */
};

/* Quadratics of shares to be maximised. */
struct mixtura_shares {
    const double *Q, *slope, *curve;
    double *to;
    int64_t n, ld, K;
};

/* In files of their own. */
struct mixtura_lost;
struct mixtura_partial;
struct mixtura_placing;
struct mixtura_removals;
struct mixtura_seeding;

/* Kernels that are given one record, and what it is: a new one is a line here. */
#define MIXTURA_KERNELS(X) \
    X(merging, const struct mixtura_merging) \
    X(removals, struct mixtura_removals) \
    X(draw, const struct mixtura_draw) \
    X(gaps, const struct mixtura_gaps) \
    X(lost, const struct mixtura_lost) \
    X(placed, struct mixtura_placing) \
    X(sloped, struct mixtura_placing) \
    X(seeding, const struct mixtura_seeding) \
    X(chain, const struct mixtura_chain) \
    X(stretches, struct mixtura_stretches) \
    X(likeliest, struct mixtura_stretches) \
    X(stays, const struct mixtura_stays) \
    X(longest, const struct mixtura_longest) \
    X(driven, const struct mixtura_driven) \
    X(blocks, struct mixtura_blocks) \
    X(partition, struct mixtura_partition) \
    X(belief, struct mixtura_belief) \
    X(holes, struct mixtura_holes) \
    X(ancestry, struct mixtura_ancestry) \
    X(ancestry_shares, const struct mixtura_shares)

/* All return 0, or 1 when memory ran out. */
struct mixtura_kernels {
    const char *name;
    int (*pass)(const struct mixtura_data *, const struct mixtura_model *,
                struct mixtura_moments *);
    int (*rows)(const struct mixtura_data *, const struct mixtura_model *,
                const struct mixtura_rows *);
    int (*em)(const struct mixtura_data *, struct mixtura_em *);
    int (*single)(const struct mixtura_data *, const struct mixtura_model *,
                  struct mixtura_moments *);
    int (*neighbours)(const struct mixtura_model *, int64_t, const double *, int64_t, int64_t,
                      const struct mixtura_near *);
    int (*labelled)(const struct mixtura_data *, const struct mixtura_model *,
                    struct mixtura_prune *, struct mixtura_moments *);
    int (*pruned)(const struct mixtura_data *, const struct mixtura_model *,
                  const struct mixtura_near *, struct mixtura_prune *,
                  struct mixtura_moments *);
    int (*truncated)(const struct mixtura_data *, const struct mixtura_model *,
                     const struct mixtura_near *, struct mixtura_kept *,
                     struct mixtura_moments *);
    int (*climb)(const struct mixtura_data *, struct mixtura_climb *);
    int (*contest)(const struct mixtura_data *, struct mixtura_contest *);
    int (*partial)(const struct mixtura_data *, struct mixtura_partial *);
    int (*levels)(const struct mixtura_data *, struct mixtura_levels *);
#define MIXTURA_MEMBER(name, record) int (*name)(record *);
    MIXTURA_KERNELS(MIXTURA_MEMBER)
#undef MIXTURA_MEMBER
};

#endif
