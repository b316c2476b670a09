#include <ringkernel/kernel.h>
RK_MESSAGE(note, 1, (rk_u32, word, 9))
RK_HANDLER(forward, note, msg, rk_none, self, .threads = 256, .max_batch = 1024)
{
    note out;
    for (rk_u32 i = 0; i < 9; i++) out.word[i] = msg->word[i];
    rk_send(RK_ARG, &out);
}
