/* Modules: which kernels there are. */
#ifndef RK_RUNTIME_MODULE_H
#define RK_RUNTIME_MODULE_H

#include "core.h"

/* Take in every module that is linked into the program and not yet known. */
rk_status rk_modules_linked(rk_runtime *runtime);
/* Take in one module: checked, its kernels become classes. `from` names it in errors. */
rk_status rk_module_take(rk_runtime *runtime, const rk_module *module, const char *from);
void rk_modules_close(rk_runtime *runtime);
rk_class *rk_class_find(const rk_runtime *runtime, const char *name);
/* The handler for a message type; 0: none. */
const rk_declaration *rk_class_handler(const rk_class *class, rk_u32 type);
/* A declaration of the class's module by kind and name; 0: none. */
const rk_declaration *rk_class_declared(const rk_class *class, rk_u32 kind, const char *name);
/* The name of a dead letter's reason. */
const char *rk_reason_name(const rk_class *class, rk_u32 reason);
/* Kernel names, for messages of errors: "a, b, c" cut to the room. */
void rk_class_names(const rk_runtime *runtime, char *text, size_t size);

/* Unload all files. */
void rk_loads_close(rk_runtime *runtime);

/* Compile a kernel source into a module, or find it in the cache. *path is malloc'ed. */
rk_status rk_module_compile(const rk_runtime *runtime, const char *source, char **path);

#endif
