/* Components out of sight of a whole block, where rows beside each other lie near each other.
 *
 * Let c be the middle of the block's box and h half its widths. A whitened row y = W (x - m) of the
 * block is at most rho from W (c - m), with rho^2 = sum_ij |(W'W)_ij| h_i h_j. So |y| lies within
 * D - rho and D + rho, D = |W (c - m)|, and no row has less density than the largest, over the
 * components g, of shift_g - (D_g + rho_g)^2 / 2. Another component h whose b = D - rho is at least 1
 * and for which, by the T_h of near.h,
 *
 *     shift_h - b^2 / 2 + log(1 + b^2) - largest <= -T_h
 *
 * is skipped for the block on the same terms as there, and log(1 + b^2) <= 1 + b / 2. Of components
 * in sight a row is left out by the cut of prune.h. Counts must then be compared with weights. */
#ifndef MIXTURA_SIGHT_H
#define MIXTURA_SIGHT_H

#include "near.h"

/* Rows of a block: few lie near each other. Fewer components and more columns do not pay. */
enum { SIGHT_ROWS = 64, SIGHT_LEAST = 32, SIGHT_COLUMNS = 3 };
/* So many blocks show whether at least this share of components is out of sight. */
enum { SIGHT_TRIED = 6 };
#define SIGHT_WORTH 0.2
/* So far above the least density of a block's rows a component's own peak may be for its cut. */
#define SIGHT_ABOVE 50.0
/* A component with a smaller share of the rows that its weight promises makes the bound loose. */
#define SIGHT_STARVED 1e-3

/* The parameters with components in lanes: value i of component k at i Kp + k. */
struct sight {
    int64_t Kp;
    double *means, *whiten, *cross, *shift, *skip, *cut, *nearest, *memory;
};

static int sight_wanted(const struct work *w, const struct mixtura_data *data)
{
    return data->near && w->form == FORM_FULL && w->K >= SIGHT_LEAST && w->d <= SIGHT_COLUMNS &&
           !w->held;
}

/* 1 where there is no memory. */
static int sight_open(struct sight *s, const struct work *w)
{
    const struct mixtura_model *m = w->model;
    int64_t K = w->K, d = w->d, Kp = s->Kp = ROUND_UP(K, VL), pairs = TRIANGLE(d);
    s->memory = malloc((size_t)((d + 2 * pairs + 4) * Kp) * 8 + 64);
    if (!s->memory)
        return 1;
    s->means = s->memory + (64 - (uintptr_t)s->memory % 64) % 64 / 8;
    s->whiten = s->means + d * Kp;
    s->cross = s->whiten + pairs * Kp;
    s->shift = s->cross + pairs * Kp;
    s->skip = s->shift + Kp;
    s->cut = s->skip + Kp;
    s->nearest = s->cut + Kp;
    for (int64_t at = 0; at < Kp; at++) {
        int64_t k = at < K ? at : 0;
        const double *W = m->whiten + k * d * d;
        for (int64_t j = 0; j < d; j++)
            s->means[j * Kp + at] = m->means[k * d + j];
        for (int64_t j = 0; j < d; j++)
            for (int64_t l = 0; l <= j; l++) {
                double sum = 0.0;
                for (int64_t i = j; i < d; i++)
                    sum += W[i * d + j] * W[i * d + l];
                s->whiten[(TRIANGLE(j) + l) * Kp + at] = W[j * d + l];
                s->cross[(TRIANGLE(j) + l) * Kp + at] = fabs(sum) * (l < j ? 2.0 : 1.0);
            }
        double skip = s->skip[at] = skip_below(m->log_weights[k]);
        double cut = -(skip + 1.0 + log(1.0 + 2.0 * SIGHT_ABOVE + 2.0 * skip));
        s->cut[at] = cut > EXP_LEAST ? cut : EXP_LEAST;
        s->shift[at] = w->shift[k];
    }
    return 0;
}

/* The middle and half the widths of the box of a block's rows that weigh anything. */
static int sight_box(const struct work *w, int64_t nv, double *middle, double *half)
{
    for (int64_t j = 0; j < w->d; j++) {
        vec low = splat(__builtin_inf()), high = -low;
        for (int64_t v = 0; v < nv; v++) {
            vec x = load(w->x + j * w->stride + v * VL);
            ivec none = (ivec)(load(w->weight + v * VL) == splat(0.0));
            low = vmin(low, pick(none, low, x));
            high = vmax(high, pick(none, high, x));
        }
        double least = low[0], most = high[0];
        for (int t = 1; t < VL; t++) {
            least = low[t] < least ? low[t] : least;
            most = high[t] > most ? high[t] : most;
        }
        middle[j] = 0.5 * least + 0.5 * most;
        half[j] = 0.5 * most - 0.5 * least + 0x1p-50 * (fabs(least) + fabs(most));
        if (!(half[j] >= 0.0 && half[j] < 1e300))
            return 0;
    }
    return 1;
}

/* Which components no row of the block needs, into w->hidden, and the cuts of the others. Returns
 * how many are hidden. */
static int64_t sight_block(struct work *w, const struct sight *s, int64_t nv)
{
    double middle[SIGHT_COLUMNS], half[SIGHT_COLUMNS], most = -__builtin_inf();
    int64_t d = w->d, Kp = s->Kp;
    w->hiding = sight_box(w, nv, middle, half);
    for (int64_t k = 0; k < w->K; k++)
        w->cut[k] = EXP_LEAST;
    if (!w->hiding)
        return 0;
    int64_t many = 0;
    vec largest = splat(most);
    for (int64_t k = 0; k < Kp; k += VL) {
        vec D2 = {0}, rho2 = {0}, D, rho, e[SIGHT_COLUMNS];
        for (int64_t j = 0; j < d; j++) {
            vec y = {0};
            e[j] = middle[j] - load(s->means + j * Kp + k);
            for (int64_t l = 0; l <= j; l++) {
                int64_t at = (TRIANGLE(j) + l) * Kp + k;
                y += load(s->whiten + at) * e[l];
                rho2 += load(s->cross + at) * (half[j] * half[l]);
            }
            D2 += y * y;
        }
        for (int t = 0; t < VL; t++) {
            D[t] = __builtin_sqrt(D2[t]);
            rho[t] = __builtin_sqrt(rho2[t]);
        }
        vec far = D + rho;
        store(s->nearest + k, D - rho);
        largest = vmax(load(s->shift + k) - 0.5 * far * far, largest);
    }
    for (int t = 0; t < VL; t++)
        most = largest[t] > most ? largest[t] : most;
    for (int64_t k = 0; k < w->K; k++) {
        double b = s->nearest[k], shift = s->shift[k];
        w->hidden[k] = b >= 1.0 && shift - 0.5 * b * b + 1.0 + 0.5 * b - most <= -s->skip[k];
        many += w->hidden[k];
        if (shift - most <= SIGHT_ABOVE)
            w->cut[k] = s->cut[k];
    }
    return many;
}

/* Whether a component has far fewer rows than its weight says. */
static int sight_starved(const struct mixtura_model *m, const double *count)
{
    double total = 0.0;
    for (int64_t k = 0; k < m->K; k++)
        total += count[k];
    for (int64_t k = 0; k < m->K; k++)
        if (count[k] < SIGHT_STARVED * total * exp(m->log_weights[k]))
            return 1;
    return 0;
}

#endif
