/* What every public declaration is marked with: RK_API exports a function from the shared library, which
 * hides all others; RK_BEGIN_DECLS and RK_END_DECLS give the declarations between them C linkage in C++. */
#ifndef RINGKERNEL_API_H
#define RINGKERNEL_API_H

#define RK_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define RK_BEGIN_DECLS extern "C" {
#define RK_END_DECLS }
#else
#define RK_BEGIN_DECLS
#define RK_END_DECLS
#endif

#endif
