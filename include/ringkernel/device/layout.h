/* The layout of everything that host and device share, as a list that both can write down.
 *
 * Each language asserts its sizes at compile time; this list is compared at a device's first launch, so a
 * compiler that lays a structure out in its own way is found before it touches a message.
 *     #define SIZE(type) …
 *     #define OFFSET(type, field) …
 *     RK_LAYOUT(SIZE, OFFSET)
 * The device's side is the kernel rk_layout_check (layout_check.h): word 0 is RK_WIRE_VERSION, then come these. */
#ifndef RINGKERNEL_DEVICE_LAYOUT_H
#define RINGKERNEL_DEVICE_LAYOUT_H

#include "handler.h"
#include "parcel.h"

/* clang-format off */
#define RK_LAYOUT(S, O)                                                                                    \
    S(rk_unit)                                                                                             \
    S(rk_header) O(rk_header, lap) O(rk_header, type) O(rk_header, length) O(rk_header, target)            \
    O(rk_header, source) O(rk_header, priority) O(rk_header, flags)                                        \
    S(rk_header_long) O(rk_header_long, id) O(rk_header_long, correlation) O(rk_header_long, sent_ns)      \
    O(rk_header_long, ttl_us) O(rk_header_long, attempts) O(rk_header_long, version)                       \
    O(rk_header_long, source_shard)                                                                        \
    S(rk_reference) O(rk_reference, pool) O(rk_reference, block) O(rk_reference, length)                   \
    S(rk_ring) O(rk_ring, tail) O(rk_ring, cached_head) O(rk_ring, evicted) O(rk_ring, asleep)             \
    O(rk_ring, stamp) O(rk_ring, stamp_shift) O(rk_ring, head) O(rk_ring, cached_tail)               \
    O(rk_ring, waiting) O(rk_ring, delivered) O(rk_ring, withdrawn)                 \
    O(rk_ring, slots) O(rk_ring, start) O(rk_ring, capacity) O(rk_ring, mask) O(rk_ring, slot_shift)       \
    O(rk_ring, header_size) O(rk_ring, format) O(rk_ring, single) O(rk_ring, overwritten)                  \
    O(rk_ring, room) O(rk_ring, slot_size) O(rk_ring, payload_max) O(rk_ring, counted) O(rk_ring, far)     \
    S(rk_lane) O(rk_lane, rings) O(rk_lane, window_ids) O(rk_lane, window_table) O(rk_lane, window)        \
    O(rk_lane, capacity) O(rk_lane, bands) O(rk_lane, strategy) O(rk_lane, locked) O(rk_lane, boundary)    \
    O(rk_lane, closed) O(rk_lane, lock) O(rk_lane, window_count) O(rk_lane, refused)                       \
    S(rk_pool) O(rk_pool, blocks) O(rk_pool, free_list) O(rk_pool, returns) O(rk_pool, block_size)         \
    O(rk_pool, number) O(rk_pool, lock) O(rk_pool, free_count)                                             \
    S(rk_histogram) O(rk_histogram, bucket)                                                                \
    S(rk_edge) O(rk_edge, mode) O(rk_edge, key_offset) O(rk_edge, actors) O(rk_edge, lanes)                \
    O(rk_edge, end_tables) O(rk_edge, counts)                                                              \
    S(rk_route) S(rk_directory_entry) S(rk_report) S(rk_log_line)                                          \
    S(rk_staged) O(rk_staged, route) O(rk_staged, report)                                                  \
    S(rk_view) O(rk_view, n) O(rk_view, committed) O(rk_view, index)                                       \
    S(rk_turn) O(rk_turn, staged) O(rk_turn, taken_ns) O(rk_turn, drained) O(rk_turn, clock_hlc)           \
    O(rk_turn, wake_ns) O(rk_turn, view)                                                                                       \
    S(rk_meter) O(rk_meter, refused) O(rk_meter, queue_wait) O(rk_meter, service)                          \
    S(rk_orders) O(rk_orders, command) O(rk_orders, heartbeat) O(rk_orders, clock_error_ns) O(rk_orders, phase) O(rk_orders, wake_ns) O(rk_orders, gone)                         \
    S(rk_shard) O(rk_shard, lane) O(rk_shard, stage) O(rk_shard, parameters) O(rk_shard, edge_counts)      \
    O(rk_shard, directory) O(rk_shard, send_deadline_ns) O(rk_shard, orders)                               \
    O(rk_shard, turn) O(rk_shard, meter)                                                                   \
    S(rk_attributes) O(rk_attributes, log_limit)                                                           \
    S(rk_parcel) S(rk_parcel_part) S(rk_parcel_piece) O(rk_parcel_piece, units)                            \
    S(rk_answer) O(rk_answer, progress) O(rk_answer, first) O(rk_answer, head)
/* clang-format on */

#define RK_LAYOUT_ONE_(...) +1u
#define RK_LAYOUT_WORDS (1u RK_LAYOUT(RK_LAYOUT_ONE_, RK_LAYOUT_ONE_))

#endif
