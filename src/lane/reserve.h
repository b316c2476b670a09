/* Reservations: a claim that user code fills. */
#ifndef RK_LANE_RESERVE_H
#define RK_LANE_RESERVE_H

struct rk_thread_record;
/* The thread exits: what it holds is repaired: passed over by the consumer, and counted lost. */
void rk_reservations_repair(struct rk_thread_record *record);

#endif
