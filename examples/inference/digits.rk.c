/* A network of two layers: logits = output · max(0, hidden · pixels). The block works on a whole batch of
 * images, so each of its threads has something to do in each region. */
#include "digits.rk.h"

RK_REASON(no_such_row)
RK_REASON(no_weights)
RK_REASON(batch_too_large)

#define ROWS (HIDDEN + DIGITS)

typedef struct network {
    rk_f32 hidden[PIXELS * HIDDEN]; /* by pixel, then unit: neighbouring threads read neighbouring words */
    rk_f32 output[HIDDEN * DIGITS]; /* likewise */
    rk_f32 bias[ROWS];              /* of the hidden layer, then of the output */
    rk_u32 has[ROWS];               /* 1: that row came */
    rk_u32 rows;                    /* how many did */
} network;

/* Rows of weights go to their places; when the last that was missing has come, the host is told. */
RK_BATCH_HANDLER(digits, weight_row, n, network, self, .width = RK_BLOCK, .threads = 256,
                 .state = RK_PER_SHARD, .max_sends = MOST_BATCH, .shared = MOST_BATCH * ROWS * 4u,
                 .mode = RK_BATCH, .max_batch = MOST_BATCH, .gather_us = 20)
{
    for (rk_u32 m = 0; m < n; m++) {
        RK_MSG const weight_row *from = RK_AT(weight_row, m);
        if (from->layer > 1 || from->row >= (from->layer == 0 ? HIDDEN : DIGITS)) {
            rk_fail(RK_ARG, no_such_row);
            return;
        }
    }
    for (rk_u32 m = 0; m < n; m++) {
        RK_MSG const weight_row *from = RK_AT(weight_row, m);
        if (from->layer == 0)
            RK_PARALLEL(i, PIXELS) self->hidden[i * HIDDEN + from->row] = from->weight[i];
        else
            RK_PARALLEL(i, HIDDEN) self->output[i * DIGITS + from->row] = from->weight[i];
    }
    RK_ONCE {
        rk_u32 before = self->rows;
        for (rk_u32 m = 0; m < n; m++) {
            RK_MSG const weight_row *from = RK_AT(weight_row, m);
            rk_u32 at = from->layer == 0 ? from->row : HIDDEN + from->row;
            self->bias[at] = from->bias;
            self->rows += !self->has[at];
            self->has[at] = 1;
        }
        if (before < ROWS && self->rows == ROWS) {
            loaded all = { rk_shard_number() };
            rk_send(RK_ARG, &all);
        }
    }
}

RK_FN void send_guess(RK_CTX, RK_MSG const image *from, RK_LOCAL const rk_f32 *logit, rk_u32 n)
{
    guess out = { from->number, from->label, 0, n, { 0 } };
    for (rk_u32 d = 0; d < DIGITS; d++) {
        out.logit[d] = logit[d];
        if (logit[d] > out.logit[out.digit]) out.digit = d;
    }
    rk_send(RK_ARG, &out);
}

RK_BATCH_HANDLER(digits, image, n, network, self, .width = RK_BLOCK, .state = RK_PER_SHARD)
{
    RK_SHARED(rk_f32, hidden, MOST_BATCH * HIDDEN);
    RK_SHARED(rk_f32, logit, MOST_BATCH * DIGITS);
    if (n > MOST_BATCH) {
        rk_fail(RK_ARG, batch_too_large);
        return;
    }
    if (self->rows != ROWS) {
        rk_fail(RK_ARG, no_weights);
        return;
    }
    RK_PARALLEL(i, n * HIDDEN) { /* unit i % HIDDEN for image i / HIDDEN */
        rk_u32 unit = i % HIDDEN;
        RK_MSG const image *from = RK_AT(image, i / HIDDEN);
        rk_f32 sum = self->bias[unit];
        for (rk_u32 p = 0; p < PIXELS; p++) sum += self->hidden[p * HIDDEN + unit] * (rk_f32)from->pixel[p];
        hidden[i] = sum > 0 ? sum : 0;
    }
    RK_PARALLEL(i, n * DIGITS) { /* digit i % DIGITS for image i / DIGITS */
        rk_u32 digit = i % DIGITS;
        RK_LOCAL const rk_f32 *seen = hidden + i / DIGITS * HIDDEN;
        rk_f32 sum = self->bias[HIDDEN + digit];
        for (rk_u32 h = 0; h < HIDDEN; h++) sum += self->output[h * DIGITS + digit] * seen[h];
        logit[i] = sum;
    }
    RK_ONCE {
        for (rk_u32 m = 0; m < n; m++) send_guess(RK_ARG, RK_AT(image, m), logit + m * DIGITS, n);
    }
}
