#ifndef RINGKERNEL_CLI_DEVICES_H
#define RINGKERNEL_CLI_DEVICES_H

/* What the processor calls itself. */
void devices_cpu_name(char name[128]);

#endif
