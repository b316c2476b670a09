/* RK_EACH(macro, context, a, b, …): macro(context, a) macro(context, b) …, for up to 32 arguments, in every
 * preprocessor that compiles a kernel. With 33 to 64 there is an error that says so. */
#ifndef RINGKERNEL_DEVICE_EACH_H
#define RINGKERNEL_DEVICE_EACH_H

/* clang-format off */
#define RK_EACH_COUNT_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, a35, a36, a37, a38, a39, a40, a41, a42, a43, a44, a45, a46, a47, a48, a49, a50, a51, a52, a53, a54, a55, a56, a57, a58, a59, a60, a61, a62, a63, a64, count, ...) count
#define RK_EACH_COUNT(...) RK_EACH_COUNT_(__VA_ARGS__, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, RK_MANY, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define RK_EACH(macro, context, ...) RK_EACH_PASTE(RK_EACH_, RK_EACH_COUNT(__VA_ARGS__))(macro, context, __VA_ARGS__)
#define RK_EACH_PASTE(a, b) RK_EACH_PASTE_(a, b)
#define RK_EACH_PASTE_(a, b) a##b
#define RK_EACH_RK_MANY(m, c, ...) _Pragma("GCC error \"more than 32 members\"")
#define RK_EACH_1(m, c, a) m(c, a)
#define RK_EACH_2(m, c, a, ...) m(c, a) RK_EACH_1(m, c, __VA_ARGS__)
#define RK_EACH_3(m, c, a, ...) m(c, a) RK_EACH_2(m, c, __VA_ARGS__)
#define RK_EACH_4(m, c, a, ...) m(c, a) RK_EACH_3(m, c, __VA_ARGS__)
#define RK_EACH_5(m, c, a, ...) m(c, a) RK_EACH_4(m, c, __VA_ARGS__)
#define RK_EACH_6(m, c, a, ...) m(c, a) RK_EACH_5(m, c, __VA_ARGS__)
#define RK_EACH_7(m, c, a, ...) m(c, a) RK_EACH_6(m, c, __VA_ARGS__)
#define RK_EACH_8(m, c, a, ...) m(c, a) RK_EACH_7(m, c, __VA_ARGS__)
#define RK_EACH_9(m, c, a, ...) m(c, a) RK_EACH_8(m, c, __VA_ARGS__)
#define RK_EACH_10(m, c, a, ...) m(c, a) RK_EACH_9(m, c, __VA_ARGS__)
#define RK_EACH_11(m, c, a, ...) m(c, a) RK_EACH_10(m, c, __VA_ARGS__)
#define RK_EACH_12(m, c, a, ...) m(c, a) RK_EACH_11(m, c, __VA_ARGS__)
#define RK_EACH_13(m, c, a, ...) m(c, a) RK_EACH_12(m, c, __VA_ARGS__)
#define RK_EACH_14(m, c, a, ...) m(c, a) RK_EACH_13(m, c, __VA_ARGS__)
#define RK_EACH_15(m, c, a, ...) m(c, a) RK_EACH_14(m, c, __VA_ARGS__)
#define RK_EACH_16(m, c, a, ...) m(c, a) RK_EACH_15(m, c, __VA_ARGS__)
#define RK_EACH_17(m, c, a, ...) m(c, a) RK_EACH_16(m, c, __VA_ARGS__)
#define RK_EACH_18(m, c, a, ...) m(c, a) RK_EACH_17(m, c, __VA_ARGS__)
#define RK_EACH_19(m, c, a, ...) m(c, a) RK_EACH_18(m, c, __VA_ARGS__)
#define RK_EACH_20(m, c, a, ...) m(c, a) RK_EACH_19(m, c, __VA_ARGS__)
#define RK_EACH_21(m, c, a, ...) m(c, a) RK_EACH_20(m, c, __VA_ARGS__)
#define RK_EACH_22(m, c, a, ...) m(c, a) RK_EACH_21(m, c, __VA_ARGS__)
#define RK_EACH_23(m, c, a, ...) m(c, a) RK_EACH_22(m, c, __VA_ARGS__)
#define RK_EACH_24(m, c, a, ...) m(c, a) RK_EACH_23(m, c, __VA_ARGS__)
#define RK_EACH_25(m, c, a, ...) m(c, a) RK_EACH_24(m, c, __VA_ARGS__)
#define RK_EACH_26(m, c, a, ...) m(c, a) RK_EACH_25(m, c, __VA_ARGS__)
#define RK_EACH_27(m, c, a, ...) m(c, a) RK_EACH_26(m, c, __VA_ARGS__)
#define RK_EACH_28(m, c, a, ...) m(c, a) RK_EACH_27(m, c, __VA_ARGS__)
#define RK_EACH_29(m, c, a, ...) m(c, a) RK_EACH_28(m, c, __VA_ARGS__)
#define RK_EACH_30(m, c, a, ...) m(c, a) RK_EACH_29(m, c, __VA_ARGS__)
#define RK_EACH_31(m, c, a, ...) m(c, a) RK_EACH_30(m, c, __VA_ARGS__)
#define RK_EACH_32(m, c, a, ...) m(c, a) RK_EACH_31(m, c, __VA_ARGS__)
/* clang-format on */

#endif
