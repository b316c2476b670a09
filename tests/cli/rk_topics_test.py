#!/usr/bin/python3
"""Topics and the dead letters' own route, as an app file says them: who gets what, and that it is accounted for."""
import json

import rk_command
from rk_command import KERNEL, USAGE, Case

OVEN = """#include <ringkernel/kernel.h>
RK_MESSAGE(reading, 1, (rk_i64, value), (rk_i64, place))
RK_ROUTE(hot)
RK_ROUTE(cold)
/* Hot readings on the one route, cold ones on the other. */
RK_HANDLER(oven, reading, msg, rk_none, self)
{
    if (msg->value < 100) rk_send_to(RK_ARG, cold, msg);
    else rk_send_to(RK_ARG, hot, msg);
}
"""

LISTENER = """#include <ringkernel/kernel.h>
RK_MESSAGE(reading, 1, (rk_i64, value), (rk_i64, place))
RK_MESSAGE(line, 2, (rk_i64, who), (rk_i64, value))
RK_REASON(odd)
RK_PARAM(rk_i64, who, 0)
RK_HANDLER(listener, reading, msg, rk_none, self)
{
    line out;
    out.who = RK_PARAM_OF(who);
    out.value = msg->value;
    if (out.value % 2) { rk_fail(RK_ARG, odd); return; }
    rk_send(RK_ARG, &out);
}
"""

UNDERTAKER = """#include <ringkernel/kernel.h>
#include <ringkernel/pattern/dead_letter.h>
RK_MESSAGE(reading, 1, (rk_i64, value), (rk_i64, place))
RK_MESSAGE(line, 2, (rk_i64, who), (rk_i64, value))
RK_REASON(even)
RK_HANDLER(undertaker, reading, msg, rk_none, self)
{
    rk_letter letter = rk_letter_of(RK_ARG, msg);
    line out;
    out.who = letter.is_letter ? -1 : -2;
    out.value = msg->value;
    if (msg->value == 77) { rk_fail(RK_ARG, even); return; }
    rk_send(RK_ARG, &out);
}
"""

APP = """app: oven
kernels:
  oven:    { source: oven.rk.c }
  alarm:   { source: listener.rk.c, kernel: listener, params: { who: 1 } }
  archive: { source: listener.rk.c, kernel: listener, params: { who: 2 } }
routes:
  - input -> oven
  - alarm -> output
  - archive -> output
topics:
  - oven -> plant/oven/hot: { route: hot }
  - oven -> plant/oven/cold: { route: cold }
  - plant/oven/hot -> alarm
  - plant/# -> archive
  - 'plant/*/cold -> archive'
"""

LETTERS = """app: letters
kernels:
  listener:   { source: listener.rk.c }
  undertaker: { source: undertaker.rk.c }
routes:
  - input -> listener
  - listener -> output
  - listener -> undertaker: { route: dead letters }
  - undertaker -> output
"""


class Topics(Case):
    def topics(self, text=APP):
        self.write("oven.rk.c", OVEN)
        self.write("listener.rk.c", LISTENER)
        self.write("undertaker.rk.c", UNDERTAKER)
        return self.write("app.yaml", text)

    def slow_archive(self, options=""):
        """The archive has to calculate for each reading."""
        self.write("slow.rk.c", LISTENER.replace("HANDLER(listener", "HANDLER(slow").replace(
            "line out;", "line out;\n    rk_u64 x = 1;\n    for (rk_u32 i = 0; i < 500000; i++) x = x * 6364136223846793005u + 1;").replace(
            "out.value % 2", "out.value % 2 || x == 0"))
        return self.topics(APP.replace("source: listener.rk.c, kernel: listener, params: { who: 2 }",
                                       "source: slow.rk.c, kernel: slow, capacity: 16, %sparams: { who: 2 }" % options))

    @staticmethod
    def other_kernel():
        """One that takes lines, not readings."""
        return LISTENER.replace("listener, reading", "other, line").replace("out.value = msg->value", "out.value = 0")

    def got(self, app, values, *arguments):
        rows = "value,place\n" + "".join("%d,0\n" % value for value in values)
        done = self.run_app(app, "--input", "-", "--input-format", "csv", *arguments, stdin=rows.encode())
        self.assertTrue(done.summary["balanced"])
        self.assertTrue(all(check["holds"] for check in done.summary["checks"]))
        done.lines = sorted((line["who"], line["value"]) for line in map(json.loads, done.stdout.decode().splitlines()))
        return done

    def test_exact_and_wildcard_subscribers_get_each_message_once(self):
        done = self.got(self.topics(), [50, 150, 60, 160])
        self.assertEqual(done.lines, [(1, 150), (1, 160), (2, 50), (2, 60), (2, 150), (2, 160)])

    def test_the_summary_tells_how_far_a_slow_subscriber_was_behind(self):
        app = self.slow_archive()
        done = self.got(app, [50] * 400 + [150], "-v", "--workers", "2")
        alarm, archive = done.summary["topics"]
        self.assertEqual([alarm[key] for key in ("subscriber", "accepted", "behind", "missed")], ["alarm", 1, 0, 0])
        self.assertEqual([archive[key] for key in ("subscriber", "accepted", "behind", "missed", "capacity", "shard")], ["archive", 401, 0, 0, 16, 0])
        self.assertGreater(archive["most_behind"], 8)
        self.assertLessEqual(archive["most_behind"], 16)

    def test_what_a_subscriber_missed_is_in_the_summary_and_told(self):
        app = self.slow_archive("backpressure: drop_oldest, ")
        done = self.got(app, [50] * 400, "-v", "--workers", "2")
        archive = done.summary["topics"][1]
        account = done.summary["kernels"][2]["account"]
        self.assertEqual(archive["missed"], account["evicted"])
        self.assertGreater(archive["missed"], 0)
        self.assertRegex(done.errors, r"subscriber 'archive' was slow: up to \d+ messages of 16 behind in shard 0, %d missed" % archive["missed"])

    def test_two_routes_of_a_kernel_publish_one_topic(self):
        app = self.topics(APP.replace("plant/oven/cold: { route: cold }", "plant/oven/hot: { route: cold }").replace("  - 'plant/*/cold -> archive'\n", ""))
        self.assertEqual(self.got(app, [50, 150]).lines, [(1, 50), (1, 150), (2, 50), (2, 150)])

    def test_a_route_that_only_another_kernel_publishes_leads_nowhere(self):
        app = self.topics(APP.replace("  alarm: ", "  stove:   { source: oven.rk.c, kernel: oven }\n  alarm: ").replace("- input -> oven", "- input -> oven\n  - alarm -> stove")
                          .replace("  - alarm -> output\n", "") + "  - stove -> plant/stove/cold: { route: cold }\n")
        self.assertIn(f"rk: {app}:4:3: route 'hot' of kernel 'stove' leads nowhere: add '- stove -> NAME: {{ route: hot }}'\n",
                      self.run_rk("run", app, "--input", "-", code=rk_command.KERNEL).errors)

    def test_a_subscription_has_the_options_of_a_route(self):
        app = self.topics(APP.replace("  archive: { source: listener.rk.c,", "  archive: { source: listener.rk.c, shards: 2,")
                          .replace("plant/# -> archive", "plant/# -> archive: { mode: all }")
                          .replace("'plant/*/cold -> archive'", "plant/*/cold -> archive: { mode: all }"))
        done = self.got(app, [50])
        self.assertEqual(done.lines, [(2, 50), (2, 50)])

    def test_subscriptions_of_one_kernel_that_differ_are_told_at_their_place(self):
        app = self.topics(APP.replace("plant/# -> archive", "plant/# -> archive: { mode: turn }"))
        done = self.run_rk("run", app, "--input", "-", stdin=b"value,place\n1,0\n", code=KERNEL)
        self.assertIn("app.yaml:15:5: topic 'plant/*/cold -> archive': RK_INVALID_ARGUMENT", done.errors)

    def test_a_shard_that_a_subscriber_does_not_have_is_told_at_its_place(self):
        app = self.topics(APP.replace("plant/oven/hot -> alarm", "plant/oven/hot -> alarm: { target: 1 }"))
        done = self.run_rk("run", app, "--input", "-", stdin=b"value,place\n1,0\n", code=KERNEL)
        self.assertEqual(done.errors, f"rk: {app}:13:40: 'plant/oven/hot -> alarm': 'target' is 1: kernel 'alarm' has shards 0 to 0\n")

    def test_a_subscriber_without_a_handler_is_told(self):
        self.topics()
        self.write("other.rk.c", self.other_kernel())
        app = self.write("app.yaml", APP.replace("source: listener.rk.c, kernel: listener, params: { who: 1 }", "source: other.rk.c, kernel: other"))
        done = self.run_rk("run", app, "--input", "-", stdin=b"value,place\n1,0\n", code=KERNEL)
        self.assertIn("app.yaml:11:3: topics: RK_UNKNOWN_TYPE", done.errors)

    def test_a_route_that_is_neither_routed_nor_published_is_told(self):
        app = self.topics(APP.replace("  - oven -> plant/oven/cold: { route: cold }\n", "").replace("  - 'plant/*/cold -> archive'\n", ""))
        done = self.run_rk("run", app, "--input", "-", stdin=b"value,place\n1,0\n", code=KERNEL)
        self.assertIn("route 'cold' of kernel 'oven' leads nowhere", done.errors)

    def test_dead_letters_go_to_the_kernel_that_takes_them(self):
        done = self.got(self.topics(LETTERS), [2, 3, 4, 5, 77])
        self.assertEqual(done.lines, [(-1, 3), (-1, 5), (0, 2), (0, 4)])
        self.assertEqual([(letter["row"], letter["reason"]) for letter in done.letters], [(5, "even")])

    def test_dead_letters_of_a_published_route_too(self):
        app = self.topics(APP.replace("topics:", "  - alarm -> undertaker: { route: dead letters }\n  - undertaker -> output\ntopics:")
                          .replace("routes:", "  undertaker: { source: undertaker.rk.c }\nroutes:"))
        done = self.got(app, [151, 50])
        self.assertEqual(done.lines, [(-1, 151), (2, 50)])
        self.assertEqual([letter["reason"] for letter in done.letters], ["odd"])

    def test_letters_of_a_type_that_nobody_handles_come_to_the_host(self):
        self.topics()
        self.write("other.rk.c", self.other_kernel())
        done = self.got(self.write("app.yaml", LETTERS.replace("undertaker.rk.c", "other.rk.c, kernel: other")), [2, 3])
        self.assertEqual(done.lines, [(0, 2)])
        self.assertEqual([(letter["row"], letter["reason"]) for letter in done.letters], [(2, "RK_UNKNOWN_TYPE")])

    def test_every_mistake_has_its_place(self):
        for old, new, told in (
                ("oven -> plant/oven/hot", "ovne -> plant/oven/hot", "11:5: topic 'ovne -> plant/oven/hot' has no kernel: it must be 'KERNEL -> TOPIC' or 'PATTERN -> KERNEL'"),
                ("oven -> plant/oven/hot", "input -> plant/oven/hot", "11:5: rows go to one kernel"),
                ("plant/# -> archive", "plant/# -> output", "14:5: the output can't subscribe"),
                ("plant/# -> archive", "alarm -> archive", "14:5: topic 'alarm -> archive' has kernels on both sides: that is one of 'routes'"),
                ("oven -> plant/oven/hot:", "oven -> plant/*/hot:", "11:13: 'plant/*/hot' is no topic"),
                ("oven -> plant/oven/hot:", "oven -> plant//hot:", "11:13: 'plant//hot' is no topic"),
                ("{ route: hot }", "{ route: hot, key: place }", "11:5: topic 'oven -> plant/oven/hot': 'key', 'mode', 'target' and 'message' are for who subscribes"),
                ("{ route: hot }", "{ route: dead letters }", "11:38: dead letters can't be published"),
                ("{ route: hot }", "{ rout: hot }", "11:31: topic 'oven -> plant/oven/hot' has no key 'rout': valid are route, message, key, mode and target"),
                ("plant/# -> archive", "plant/#/hot -> archive", "14:5: 'plant/#/hot' is no pattern"),
                ("plant/# -> archive", "plant/kiln/# -> archive", "14:5: 'plant/kiln/#' has no topic that is published: there are plant/oven/hot and plant/oven/cold"),
                ("plant/# -> archive", "plant/# -> archive: { route: hot }", "14:34: topic 'plant/# -> archive': 'route' is for who publishes"),
                ("plant/# -> archive", "plant/# -> archive: { key: place, target: 0 }", "14:5: topic 'plant/# -> archive' has more than one of"),
                ("plant/# -> archive", "plant/oven/hot -> alarm", "14:5: topic 'plant/oven/hot -> alarm' is here twice; the first is on line 13"),
                ("plant/# -> archive", "plant archive", "14:5: 'plant archive' is no topic: it must be 'FROM -> TO'"),
                ("  - 'plant/*/cold -> archive'\n", "", None),
                ("  - plant/# -> archive\n  - 'plant/*/cold -> archive'\n", "", "12:13: nobody subscribes to 'plant/oven/cold': add '- plant/oven/cold -> NAME'"),
                ("  - plant/# -> archive\n  - 'plant/*/cold -> archive'\n", "  - plant/oven/cold -> alarm\n", "5:3: kernel 'archive' gets no messages: no route or topic leads to it"),
                ("  - archive -> output", "  - archive -> output\n  - archive -> output: { route: dead letters }", "10:33: dead letters are no output"),
                ("  - archive -> output", "  - archive -> alarm: { route: dead letters, mode: all }", "9:52: a dead letter goes to one shard"),
                ("  - archive -> output", "  - archive -> alarm: { route: dead letters }\n  - archive -> oven: { route: dead letters }", "10:31: the dead letters of 'archive' go to 'alarm' already, by line 9")):
            with self.subTest(new=new):
                self.assertIn(old, APP)
                app = self.topics(APP.replace(old, new, 1))
                if told is None:
                    self.got(app, [50])
                    continue
                done = self.run_rk("run", app, "--input", "-", stdin=b"", code=USAGE)
                self.assertIn("app.yaml:" + told, done.errors)


if __name__ == "__main__":
    rk_command.main()
