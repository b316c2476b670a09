/* A line is a target with its sender: on the lane of the host the test sends itself and sees each status; on
 * the device lane it sends orders to a kernel "source", which sends what is ordered, and the lane's account
 * has what became of it. So a case on a queue is written once and runs on both. A stalled consumer is a
 * target that is not active. */
#ifndef RINGKERNEL_TESTS_LINES_H
#define RINGKERNEL_TESTS_LINES_H

#include "contract.h"

#include "../kernels/contract_b.rk.h"

#define HOST_LANE 0u
#define DEVICE_LANE 1u
#define CAPACITY 16u

typedef struct line {
    contract *c;
    rk_u32 lane;
    rk_kernel target; /* "carry" */
    rk_kernel source; /* "dispatch"; of the device lane */
    rk_u64 ordered;   /* of the source so far */
} line;

#define STRATEGIES 4u
extern const rk_u32 strategies[STRATEGIES]; /* all of them */

/* A target of CAPACITY without deduplication, with room for all that it sends to the host; a source with room
 * for all orders. */
rk_launch_options small_queue(rk_u32 strategy);
rk_launch_options source_options(void);
/* Room for all that a case sends, in and out. */
rk_launch_options roomy(void);

/* Launch a line: the target is not active, the source is. */
line open_line(contract *c, rk_u32 lane, const rk_launch_options *target);
line open_line_with(contract *c, rk_u32 lane, const rk_launch_options *target,
                    const rk_launch_options *source);
void close_line(line *l);
/* Run a case on the one lane and then on the other. */
void on_both_lanes(contract *c, void (*run)(contract *c, rk_u32 lane));

package package_of(rk_u64 number, rk_u32 sender);
rk_status send_package(contract *c, rk_kernel target, rk_u64 number, const rk_send_options *options);
/* Order the source to send this package; returns at once. */
void order_package(line *l, rk_u64 number, const rk_send_options *options);
/* All that was ordered is in the lane, or was refused by it. */
int is_ordered(const line *l);
/* Send one package on the line's lane, wait until that is decided, and say what became of it. */
rk_status offer(line *l, rk_u64 number, const rk_send_options *options);
#define assert_offer(l, number, options, expected) \
    contract_assert_status(offer(l, number, options), expected, "offer of " #number, __FILE__, __LINE__)

/* Fill the lane of a stalled target: CAPACITY packages, from 1. */
void fill_line(line *l);
/* Options of a send with an id, which doesn't wait for long. */
rk_send_options id_of(rk_u64 id);

/* Of the line's lane. */
rk_account lane_account(const line *l);
rk_u64 refusals(const rk_account *a);
/* The kernel has handled all that it accepted. */
int is_at_rest(contract *c, rk_kernel kernel);
/* Take all that a kernel sent to the host, which must be at rest. The caller frees it. */
void *take_all(contract *c, rk_kernel kernel, size_t size, size_t *count);

/* Activate the target, let it handle all that there is, and take what it saw, in order. The caller frees it.
 * */
sighting *collect(line *l, size_t *count);
/* The same, and the numbers must be these. */
#define assert_collects(l, ...)                                                                         \
    do {                                                                                                \
        static const rk_u64 expected_[] = { __VA_ARGS__ };                                              \
        contract_check_numbers(l, expected_, sizeof expected_ / sizeof *expected_, __FILE__, __LINE__); \
    } while (0)
void contract_check_numbers(line *l, const rk_u64 *expected, size_t count, const char *file, int line_number);

#endif
