/* ringkernel: kernels that are launched once and stay. What a host program includes.
 *
 * The parts: status.h (results), message.h (declaring messages), options.h (how a runtime and a kernel are
 * started), runtime.h (the life of kernels, routes, state), transfer.h (send, receive, request), telemetry.h
 * (account and metrics), pipeline.h (kernels in a row), topic.h (publish and subscribe by name), supervise.h (kernels that are launched again),
 * snapshot.h (kernels as bytes), frame.h (messages as bytes), text.h (messages as CSV and JSON). Kernel sources include
 * kernel.h instead; a program with kernels inside includes both. */
#ifndef RINGKERNEL_H
#define RINGKERNEL_H

#include "frame.h"
#include "message.h"
#include "options.h"
#include "pipeline.h"
#include "runtime.h"
#include "snapshot.h"
#include "status.h"
#include "supervise.h"
#include "telemetry.h"
#include "topic.h"
#include "transfer.h"

#endif
