#!/usr/bin/python3
"""Who asks another kernel with a deadline, and gives up, is still there when the answer comes: a job whose answers are late, the last of
them behind the end of its input, is done and balanced."""
import rk_command
from rk_command import Case

MESSAGES = """#include <ringkernel/kernel.h>
#include <ringkernel/pattern/request.h>
RK_MESSAGE(number, 1, (rk_u64, value))
RK_MESSAGE(question, 2, (rk_u64, value))
RK_MESSAGE(answer, 3, (rk_u64, value))
RK_MESSAGE(given_up, 4, (rk_u64, value))
"""

ASKER = MESSAGES + """
RK_ROUTE(to_slow)
RK_REQUESTS(questions, 64)
RK_HANDLER(asker, number, msg, questions, self, .state = RK_PER_SHARD)
{
    rk_u64 correlation;
    question q = { msg->value };
    if (rk_request_open(RK_ARG, self, RK_MILLISECONDS(1), msg->value, &correlation) != RK_OK) return;
    rk_send_options as = rk_as_request(correlation);
    rk_send_to_with(RK_ARG, to_slow, &q, &as);
}
RK_HANDLER(asker, answer, msg, questions, self, .state = RK_PER_SHARD)
{
    rk_u64 note;
    (void)rk_request_settle(RK_ARG, self, msg, &note);
}
RK_ON_TIMER(asker, questions, self)
{
    given_up g;
    while (rk_request_due(RK_ARG, self, &g.value)) rk_send(RK_ARG, &g);
    rk_request_wake(RK_ARG, self);
}
"""

# Answers a tenth of a second after the last question.
SLOW = MESSAGES + """
typedef struct pile { rk_u64 due_ns, n; rk_ticket ticket[64]; } pile;
RK_HANDLER(slow, question, msg, pile, self, .state = RK_PER_SHARD, .replies = 1)
{
    if (self->n == 64) return;
    self->ticket[self->n++] = rk_defer_reply(RK_ARG);
    self->due_ns = rk_now_ns() + RK_MILLISECONDS(100);
    rk_wake_at(RK_ARG, self->due_ns);
}
RK_ON_TIMER(slow, pile, self)
{
    if (rk_now_ns() < self->due_ns) {
        rk_wake_at(RK_ARG, self->due_ns);
        return;
    }
    for (rk_u64 i = 0; i < self->n; i++) {
        answer a = { i };
        rk_reply_later(RK_ARG, self->ticket[i], &a);
    }
    self->n = 0;
}
"""

APP = """app: late
kernels:
  asker: { source: asker.rk.c }
  slow:  { source: slow.rk.c }
routes:
  - input -> asker: { message: number }
  - asker -> slow:  { route: to_slow }
  - asker -> output
"""


# Passes on what was given up as something to ask, by a kernel that asks nobody.
MIDDLE = MESSAGES + """
RK_HANDLER(middle, given_up, msg, rk_none, self)
{
    number n = { msg->value };
    rk_send(RK_ARG, &n);
}
"""

# What a drain hook sends is the last.
LAST = """
RK_ON_DRAIN(asker, questions, self)
{
    given_up g = { 1000 };
    rk_send(RK_ARG, &g);
}
"""

CHAIN = """app: chain
kernels:
  asker:  { source: asker.rk.c }
  slow:   { source: slow.rk.c }
  middle: { source: middle.rk.c }
  second: { source: second.rk.c }
  slower: { source: slower.rk.c }
routes:
  - input -> asker:   { message: number }
  - asker -> slow:    { route: to_slow }
  - asker -> middle
  - middle -> second
  - second -> slower: { route: to_slow }
  - second -> output
"""


# The second asks at once, and the first asks it by what it gives up.
BESIDE = """app: beside
kernels:
  asker:  { source: asker.rk.c }
  slow:   { source: slow.rk.c }
  second: { source: second.rk.c }
  slower: { source: slower.rk.c }
routes:
  - input -> asker:   { message: number }
  - asker -> slow:    { route: to_slow }
  - asker -> second:  { message: given_up }
  - second -> slower: { route: to_slow }
  - second -> output
"""
SECOND = (ASKER.replace("(asker,", "(second,").replace("second, number,", "second, given_up,")
          .replace("given_up g;", "number g;"))

# x and y send to each other; x answers, too.
X = SLOW.replace("(slow,", "(x,") + """
RK_HANDLER(x, given_up, msg, pile, self, .state = RK_PER_SHARD)
{
    number n = { msg->value };
    rk_send(RK_ARG, &n);
}
"""
Y = MESSAGES + """
RK_ROUTE(again)
RK_HANDLER(y, number, msg, rk_none, self)
{
    given_up g = { msg->value - 1 };
    if (msg->value % 10)
        rk_send_to(RK_ARG, again, &g);
    else
        rk_forward(RK_ARG);
}
"""
LONG_LAST = """
RK_ON_DRAIN(asker, questions, self)
{
    given_up g = { 1003 };
    rk_u64 end = rk_cycles() + 100000000; /* some 40 ms */
    while (rk_cycles() < end) {}
    rk_send(RK_ARG, &g);
}
"""
CYCLE = """app: cycle
kernels:
  asker: { source: asker.rk.c }
  x:     { source: x.rk.c }
  y:     { source: y.rk.c, send_deadline_ns: 10000000000 }
routes:
  - input -> asker: { message: number }
  - asker -> x:     { route: to_slow }
  - asker -> x:     { message: given_up }
  - x -> y
  - y -> x:         { route: again }
  - y -> output
"""


class LateReplies(Case):
    def assert_all_comes_through(self, text, sources, values, expected, handled):
        """The app, with one worker and with three: what comes out, in any order, and what each kernel has handled, with nothing left."""
        for name, source in sources.items():
            self.write(f"{name}.rk.c", source)
        app, rows = self.write("app.yaml", text), self.write("in.csv", "value\n" + "".join(f"{value}\n" for value in values))
        for workers in ("1", "3"):
            with self.subTest(workers=workers):
                done = self.run_app(app, "--input", rows, "--workers", workers)
                self.assertEqual(sorted(done.stdout.decode().split()), sorted(f'{{"value":{value}}}' for value in expected))
                accounts = {kernel["name"]: kernel["account"] for kernel in done.summary["kernels"]}
                self.assertEqual({name: account["delivered"] for name, account in accounts.items()}, handled)
                self.assertEqual({account["queued"] for account in accounts.values()}, {0})
                self.assertTrue(done.summary["balanced"])

    def test_answers_that_come_when_nobody_waits_any_more_are_taken(self):
        self.assert_all_comes_through(APP, {"asker": ASKER, "slow": SLOW}, (1, 2, 3), (1, 2, 3), {"asker": 6, "slow": 3})

    def test_one_behind_the_other_asks_and_each_ends_after_those_before_it(self):
        """Between the two is one that nobody asks, and what the first sends when it ends comes through all."""
        sources = {"asker": ASKER + LAST, "slow": SLOW, "middle": MIDDLE, "second": ASKER.replace("(asker,", "(second,"),
                   "slower": SLOW.replace("(slow,", "(slower,")}
        self.assert_all_comes_through(CHAIN, sources, (1, 2, 3), (1, 2, 3, 1000),
                                      {"asker": 6, "slow": 3, "middle": 4, "second": 8, "slower": 4})

    def test_who_asks_behind_another_that_asks_stays_till_that_one_has_ended(self):
        sources = {"asker": ASKER + LAST, "slow": SLOW, "second": SECOND, "slower": SLOW.replace("(slow,", "(slower,")}
        self.assert_all_comes_through(BESIDE, sources, (1, 2, 3), (1, 2, 3, 1000),
                                      {"asker": 6, "slow": 3, "second": 8, "slower": 4})

    def test_a_cycle_ends_after_the_hook_of_who_sends_into_it_and_is_answered_from_it(self):
        # three go round x and y from 1 to 0, one from 3; x is asked three times, too
        self.assert_all_comes_through(CYCLE, {"asker": ASKER + LONG_LAST, "x": X, "y": Y}, (11, 11, 11), (10, 10, 10, 1000),
                                      {"asker": 6, "x": 3 + 3 * 2 + 4, "y": 3 * 2 + 4})


if __name__ == "__main__":
    rk_command.main()
