/* What the kernels of networks are given: block models, greedy moves of nodes, beliefs. */
#ifndef MIXTURA_NETWORKS_H
#define MIXTURA_NETWORKS_H

#include <stdint.h>

/* Edges of a graph by node: those of node i are ptr[i] ... ptr[i + 1]. */
struct mixtura_graph {
    const int64_t *ptr; /* n + 1; NULL where there are none */
    const int32_t *idx; /* the node at the other end */
    const double *val;  /* or NULL: 1 */
};

/* Nodes of two sides, the first of which has nodes and blocks from 0 on; 0 where there is one side. */
struct mixtura_sides {
    int64_t nodes, blocks;
};

/* The blocks that node i may lie in: from *from on, below *to. */
static inline void own_blocks(const struct mixtura_sides *sides, int64_t i, int64_t K, int64_t *from, int64_t *to)
{
    *from = i < sides->nodes ? 0 : sides->blocks;
    *to = i < sides->nodes ? sides->blocks : K;
}

/* A climb of a block model from given memberships; blocks.h says how. */
struct mixtura_blocks {
    struct mixtura_graph out, in; /* edges between different nodes; in: of directed networks */
    struct mixtura_graph listed_out, listed_in; /* pairs that are missing, or the only observed ones */
    const double *loops;  /* n: x of the pairs (i, i), NaN: missing; NULL: such pairs do not exist */
    const int32_t *order; /* n: the nodes in the order of the sweeps */
    struct mixtura_sides sides;
    int64_t n, K, directed, complete, law, max_iter;
    double squares, tol; /* sum of x^2 (normal) or of ln x! (Poisson) over pairs */
    double *tau, *weights, *matrix, *variance, *trace; /* n x K in and out; K; K x K; 1; max_iter + 1 */
    int64_t steps;
    double gap;
};

/* Greedy moves of nodes between blocks; partition.h says how. */
struct mixtura_partition {
    struct mixtura_graph out, in; /* edges between different nodes; in: of directed networks */
    const double *loops; /* n: ends of loops on the diagonal, or NULL */
    const int32_t *order; /* n: the nodes in the order of the sweeps */
    const int32_t *kind;  /* n x 2: which of the `kinds` a node's out-degree is, and its in-degree */
    struct mixtura_sides sides;
    int64_t n, K, directed, objective, kinds, max_iter, table_size, ways_size, counted_size;
    const double *table; /* x ln x, or ln x! in descriptions, of 0, 1, ... */
    const double *ways;  /* ways_size x 2: parts of the number of partitions, over ln u */
    const double *counted; /* counted_size + 1 squared: ln of partitions of m in at most n parts */
    double ways_from, ways_step;
    int32_t *labels; /* n, in and out */
    double *value;   /* max_iter + 1: the objective after each sweep */
    double *met;     /* out: K x K */
    int64_t steps, unsettled;
};

/* Degrees kept where pairs are missing; holes.h says how. */
struct mixtura_holes {
    struct mixtura_graph out, in; /* edges between different nodes; in: of directed networks */
    struct mixtura_graph listed_out, listed_in; /* pairs that are missing, or the only observed ones */
    const double *loops;  /* n: ends of loops, NaN: missing; NULL: pairs (i, i) do not exist */
    const int32_t *order; /* n: the nodes in the order of the sweeps */
    struct mixtura_sides sides;
    int64_t n, K, directed, complete, max_iter;
    double tol;
    int32_t *labels;        /* n, in and out */
    double *out_rate, *in_rate; /* n, in and out; one array where undirected */
    double *met, *among, *trace; /* K x K ends, K x K rates of observed pairs; max_iter + 1 */
    int64_t steps, unsettled;
};

/* Belief propagation on a sparse network; belief.h says how. */
struct mixtura_belief {
    struct mixtura_graph graph; /* undirected, without loops */
    const int64_t *back;  /* edges: the slot of the same edge at the other end */
    const int32_t *order; /* n: the nodes in the order of the sweeps */
    int64_t n, K, learned, sweeps, max_iter; /* sweeps between two updates of what is learned */
    double tol, log_factorials;
    double *messages, *tau, *weights, *matrix, *trace; /* edges x K, n x K, K, K x K, max_iter */
    int64_t steps;
    double change;
};

#endif
