/* Forward through hidden Markov chains some of whose moves are barred, without a number lost.
 *
 * What is too small for a double is lost. Where every state leads to every other the loss is made
 * good at the next step. Where moves are barred it may never be, and a path that later turns out to
 * be the only one would be gone: there forward vectors are kept above LOST, which only adds to them,
 * and what was added is carried beside them; where it counts at the end, or for filtered states at
 * any step, there is no answer and the caller asks in logarithms.
 */
#ifndef MIXTURA_BARRED_H
#define MIXTURA_BARRED_H

#include "kernels.h"

/* Below this sum scaled numbers say nothing, and the caller asks in logarithms. */
#define FAINT 1e-200
/* Moves below this pass for barred; and then what stands for FAINT, the least of a state that can be
 * there, of a law at a cut and of a move, and the share of what was added that does not count. */
#define BARRED 1e-60
#define BARRED_FAINT 1e-160
#define LOST 1e-200
#define LOST_AT_CUT 1e-100
#define LOST_MOVE 1e-90
#define ADDED 1e-20
/* Backward vectors of states that cannot be there may grow without end. */
#define MOST 1e290

/* Moves as they are made, none of those that may be below LOST_MOVE; the same transposed; `raised`
 * (K), by how much columns were raised at most. Returns whether any are barred. */
static int raised_moves(const double *asked, double *moves, double *back, double *raised, int64_t K)
{
    int barred = 0;
    for (int64_t j = 0; j < K; j++) {
        raised[j] = 0.0;
        for (int64_t i = 0; i < K; i++) {
            double move = asked[i * K + j];
            int low = move > 0.0 && move < LOST_MOVE;
            barred |= move < BARRED;
            moves[i * K + j] = back[j * K + i] = low ? LOST_MOVE : move;
            raised[j] = low ? LOST_MOVE : raised[j];
        }
    }
    return barred;
}

#endif
