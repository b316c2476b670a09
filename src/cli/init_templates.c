#include "init_templates.h"

/* clang-format off */
#define READING_HEADER \
"/* The messages. The structure, its columns in CSV and its keys in JSON are all of this one line; members go from wide to narrow. */\n" \
"#ifndef READING_RK_H\n" \
"#define READING_RK_H\n" \
"\n" \
"#include <ringkernel/kernel.h>\n" \
"\n" \
"RK_MESSAGE(reading, 1, (rk_u64, time_s), (rk_f32, celsius), (rk_u32, sensor))\n"

#define SAMPLE \
"time_s,sensor,celsius\n" \
"1700000000,1,19.5\n" \
"1700000000,2,21.25\n" \
"1700000060,1,19.75\n" \
"1700000060,2,412\n" \
"1700000120,1,36.5\n" \
"1700000120,2,not a number\n" \
"1700000180,3,-3.5\n"

const init_template init_templates[] = {
    {"filter", "one kernel: refuse impossible readings, pass on those that are too warm", {
        {"app.yaml",
"# Rows of readings.csv become messages `reading`; what `filter` sends is the output.\n"
"#   rk run app.yaml\n"
"#   rk run app.yaml --set filter.limit=20 --dead-letters dead.ndjson\n"
"app: filter\n"
"messages: reading.rk.h\n"
"input: { file: readings.csv }\n"
"kernels:\n"
"  filter: { source: filter.rk.c }\n"
"routes:\n"
"  - input  -> filter\n"
"  - filter -> output\n"},
        {"reading.rk.h", READING_HEADER "\n#endif\n"},
        {"filter.rk.c",
"/* Passes on readings that are too warm; refuses what no thermometer says. */\n"
"#include \"reading.rk.h\"\n"
"\n"
"RK_PARAM(rk_f32, limit, 30) /* rk run … --set filter.limit=20 */\n"
"\n"
"RK_REASON(impossible) /* of dead letters */\n"
"\n"
"RK_HANDLER(filter, reading, msg, rk_none, self)\n"
"{\n"
"    if (msg->celsius < -90 || msg->celsius > 60)\n"
"        rk_fail(RK_ARG, impossible);\n"
"    else if (msg->celsius > RK_PARAM_OF(limit))\n"
"        rk_forward(RK_ARG);\n"
"}\n"},
        {"readings.csv", SAMPLE},
        {0, 0}}},
    {"totals", "two kernels: refuse impossible readings, then a summary of each sensor when the input has ended", {
        {"app.yaml",
"# Rows of readings.csv become messages `reading`; `check` passes good ones on to `sum`, which reports at the end.\n"
"#   rk run app.yaml\n"
"#   rk run app.yaml --dead-letters dead.ndjson\n"
"app: totals\n"
"messages: reading.rk.h\n"
"input: { file: readings.csv }\n"
"kernels:\n"
"  check: { source: check.rk.c }\n"
"  sum:   { source: sum.rk.c }\n"
"routes:\n"
"  - input -> check\n"
"  - check -> sum\n"
"  - sum   -> output\n"},
        {"reading.rk.h", READING_HEADER
"RK_MESSAGE(summary, 2, (rk_u32, sensor), (rk_u32, readings), (rk_f32, coldest), (rk_f32, warmest))\n"
"\n"
"#endif\n"},
        {"check.rk.c",
"/* Refuses what no thermometer says, and sensors that we don't have. */\n"
"#include \"reading.rk.h\"\n"
"\n"
"RK_REASON(impossible) /* of dead letters */\n"
"RK_REASON(unknown_sensor)\n"
"\n"
"RK_HANDLER(check, reading, msg, rk_none, self)\n"
"{\n"
"    if (msg->sensor >= 16)\n"
"        rk_fail(RK_ARG, unknown_sensor);\n"
"    else if (msg->celsius < -90 || msg->celsius > 60)\n"
"        rk_fail(RK_ARG, impossible);\n"
"    else\n"
"        rk_forward(RK_ARG);\n"
"}\n"},
        {"sum.rk.c",
"/* Keeps the coldest and the warmest reading of each sensor, and reports when the input has ended. */\n"
"#include \"reading.rk.h\"\n"
"\n"
"#define SENSORS 16\n"
"\n"
"typedef struct sums {\n"
"    summary of[SENSORS];\n"
"} sums;\n"
"\n"
"RK_HANDLER(sum, reading, msg, sums, self, .state = RK_PER_SHARD, .max_sends = SENSORS)\n"
"{\n"
"    RK_GLOBAL summary *s = &self->of[msg->sensor];\n"
"    if (s->readings == 0 || msg->celsius < s->coldest) s->coldest = msg->celsius;\n"
"    if (s->readings == 0 || msg->celsius > s->warmest) s->warmest = msg->celsius;\n"
"    s->readings++;\n"
"}\n"
"\n"
"RK_ON_DRAIN(sum, sums, self)\n"
"{\n"
"    for (rk_u32 sensor = 0; sensor < SENSORS; sensor++) {\n"
"        summary s = {sensor, self->of[sensor].readings, self->of[sensor].coldest, self->of[sensor].warmest};\n"
"        if (s.readings > 0) rk_send(RK_ARG, &s);\n"
"    }\n"
"}\n"},
        {"readings.csv", SAMPLE},
        {0, 0}}},
    {0, 0, {{0, 0}}}};
