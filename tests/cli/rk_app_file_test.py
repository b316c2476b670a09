#!/usr/bin/python3
"""Every mistake of an app file is told with its line and column and what is valid, and nothing is started."""
import contextlib
import json
import os
import re
import subprocess
import threading

import rk_command
from rk_command import APP, DOUBLER, IO, KERNEL, OK, SOURCE, USAGE, Case

GOOD = """app: small
kernels:
  first: { source: k.rk.c }
  second:
    source: k.rk.c
    capacity: 64
    backpressure: reject
    priority: false
    boundaries: [1, 2, 3]
    params: { factor: 3 }
routes:
  - input -> first
  - first -> second: { mode: turn }
  - second -> output
"""

# What replaces what in GOOD, and what is then told.
MISTAKES = [
    ("app: small\n", "app: small\ncolour: red\n", "2:1: the app file has no key 'colour': valid are app, messages, input, output, checkpoints, kernels, routes and topics"),
    ("app: small\n", "", "1:1: the app file lacks 'app'"),
    ("app: small\n", "app: small\napp: large\n", "2:1: 'app' is here twice; the first is on line 1"),
    ("app: small\n", "app: [small]\n", "1:6: 'app' is a list: it must be one value"),
    ("app: small\n", "app: small\ninput: { fromat: csv }\n", "2:10: 'input' has no key 'fromat': valid are file and format"),
    ("app: small\n", "app: small\ninput: { format: xml }\n", "2:18: 'input': 'format' is 'xml': valid are csv and ndjson"),
    ("app: small\n", "app: small\nmessages: none.h\n", "2:11: messages "),
    ("app: small\n", "app: small\ncheckpoints: { every: 5 }\n", "2:16: 'checkpoints' has no key 'every': valid are folder, every_rows, every_ms, full_every, keep and restore"),
    ("app: small\n", "app: small\ncheckpoints: { every_ms: soon }\n", "2:26: 'checkpoints': 'every_ms' is 'soon': it must be a whole number from 0 to"),
    ("app: small\n", "app: small\ncheckpoints: { keep: 1001 }\n", "2:22: 'checkpoints': 'keep' is 1001: it must be from 1 to 1000"),
    ("app: small\n", "app: small\ncheckpoints: { keep: 0 }\n", "2:22: 'checkpoints': 'keep' is 0: it must be from 1 to 1000"),
    ("app: small\n", "app: small\ncheckpoints: { folder: '' }\n", "2:24: 'checkpoints': 'folder' is empty"),
    ("app: small\n", "app: small\ncheckpoints: state\n", "2:14: 'checkpoints' is one value: it must be a mapping"),
    ("capacity: 64", "capactiy: 64", "6:5: kernel 'second' has no key 'capactiy': valid are source, kernel, preset, capacity,"),
    ("capacity: 64", "capacity: many", "6:15: kernel 'second': 'capacity' is 'many': it must be a whole number from 0 to 4294967295"),
    ("capacity: 64", "capacity: ''", "6:15: kernel 'second': 'capacity' is ''"),
    ("capacity: 64", "capacity: -1", "6:15: kernel 'second': 'capacity' is '-1'"),
    ("capacity: 64", "capacity: 4294967296", "6:15: kernel 'second': 'capacity' is '4294967296'"),
    ("capacity: 64", "capacity: { is: 64 }", "6:15: kernel 'second': 'capacity' is a mapping: it must be one value"),
    ("capacity: 64", "width: block", "6:5: kernel 'second': 'width' is an attribute: say it in the kernel's source"),
    ("capacity: 64", "queue_capacity: 64", "6:5: kernel 'second': 'queue_capacity' is called 'capacity' here"),
    ("capacity: 64", "name: third", "6:5: kernel 'second' has no key 'name'"),
    ("backpressure: reject", "backpressure: wait", "7:19: kernel 'second': 'backpressure' is 'wait': valid are block, reject, drop_oldest and drop_newest"),
    ("priority: false", "priority: no way", "8:15: kernel 'second': 'priority' is 'no way': valid are true and false"),
    ("[1, 2, 3]", "[1, 2]", "9:17: kernel 'second': 'boundaries' has 2 values: it needs 3"),
    ("[1, 2, 3]", "[1, 2, 256]", "9:24: kernel 'second': 'boundaries' is '256': it must be a whole number from 0 to 255"),
    ("{ factor: 3 }", "{ factor: [3] }", "10:23: kernel 'second': parameter 'factor' must be one value"),
    ("{ factor: 3 }", "3", "10:13: kernel 'second': 'params' must be a mapping of names to values"),
    ("    source: k.rk.c\n", "", "4:3: kernel 'second' lacks 'source'"),
    ("    source: k.rk.c\n", "    source: ''\n", "5:13: kernel 'second': 'source' is empty"),
    ("    source: k.rk.c\n", "    source: none.rk.c\n", "5:13: source "),
    ("    source: k.rk.c\n", "    source: .\n", "is a folder"),
    ("  first: { source: k.rk.c }", "  first: k.rk.c", "3:10: kernel 'first' must be a mapping: { source: FILE.rk.c }"),
    ("  first:", "  second:", "4:3: 'second' is here twice; the first is on line 3"),
    ("  first:", "  output:", "3:3: a kernel can't be called 'output'"),
    ("capacity: 64", "beside_neighbour: yes please", "6:23: kernel 'second': 'beside_neighbour' is 'yes please': valid are true and false"),
    ("    capacity: 64", "    device: 0\n    beside_neighbour: true", "7:23: kernel 'second' has a device of its own: leave 'device' or 'beside_neighbour' out"),
    ("  first: { source: k.rk.c }", "  first:", "3:3: kernel 'first' lacks 'source'"),
    ("  first:", "  -first:", "3:3: '-first' is no name of a kernel"),
    ("  first:", "  1st:", "3:3: '1st' is no name of a kernel"),
    ("  first:", "  %s:" % ("a" * 64), "3:3: '%s' is no name of a kernel: letters, digits, _ and -, at most 63, no digit or - first" % ("a" * 64)),
    ("- input -> first", "- input -> frist", "12:14: route 'input -> frist' leads to 'frist', which isn't there: valid are output, first and second"),
    ("- first -> second:", "- fist -> second:", "13:5: route 'fist -> second' comes from 'fist', which isn't there: valid are input, first and second"),
    ("- input -> first", "- output -> first", "12:5: route 'output -> first' comes from 'output'"),
    ("- second -> output", "- second -> input", "14:15: route 'second -> input' leads to 'input'"),
    ("- input -> first", "- input -> output", "12:5: route 'input -> output' passes by every kernel"),
    ("- input -> first", "- input first", "12:5: 'input first' is no route: it must be 'FROM -> TO'"),
    ("- input -> first", "- input -> first -> second", "is no route"),
    ("- input -> first", "- [input, first]", "12:5: a route must be 'FROM -> TO'"),
    ("- input -> first", "- input -> first\n  - input -> second", "13:5: a second route from the input (the first is on line 12)"),
    ("- input -> first\n", "- first -> second: { route: other }\n", "12:3: no route comes from the input"),
    ("  - first -> second: { mode: turn }\n", "", "4:3: kernel 'second' gets no messages: no route or topic leads to it"),
    ("{ mode: turn }", "{ mode: random }", "13:30: route 'first -> second': 'mode' is 'random': valid are target, turn and all"),
    ("{ mode: turn }", "{ mode: turn, key: value }", "has more than one of 'key', 'mode' and 'target'"),
    ("{ mode: turn }", "{ moode: turn }", "13:24: route 'first -> second' has no key 'moode': valid are route, message, key, mode and target"),
    ("{ mode: turn }", "{ to: x }", "13:24: route 'first -> second' has no key 'to': the arrow says it"),
    ("{ mode: turn }", "turn", "13:22: route 'first -> second': behind it must be a mapping"),
    ("{ mode: turn }", "{ mode: turn }\n  - first -> output", "14:5: route 'first -> output': all of it goes to 'second' (line 13), and the output gets no copies"),
    ("{ mode: turn }", "{ mode: turn }\n  - first -> second", "14:5: route 'first -> second' is here twice; the first is on line 13"),
    ("- second -> output", "- second -> output: { key: value }", "14:5: route 'second -> output': 'key', 'mode', 'target' and 'message' are for kernels"),
    ("- input -> first", "- input -> first: { route: x }", "the input has no named routes"),
    ("kernels:\n", "kernels: []\nkernel:\n", "2:10: 'kernels' must be a mapping of names"),
    ("routes:\n", "topics: first -> x\nroutes:\n", "11:9: 'topics' must be a list: - NAME -> TOPIC"),
    ("routes:\n", "topics: []\nroutes:\n", "11:9: 'topics' is empty: it needs at least one"),
    ("routes:\n", "routes: x\nroute:\n", "11:9: 'routes' must be a list"),
    ("app: small\n", "app: &name small\n", "1:6: an app file has no anchors or aliases"),
    ("app: small\n", "app: *name\n", "1:6: an app file has no anchors or aliases"),
    ("app: small\n", "app: !name small\n", "1:6: an app file has no tags: leave the one with ! out"),
    ("[1, 2, 3]", "!!seq [1, 2, 3]", "9:17: an app file has no tags"),
    ("{ factor: 3 }", "!x { factor: 3 }", "10:13: an app file has no tags"),
    ("{ source: k.rk.c }", "{ source: k.rk.c, <<: { capacity: 64 } }", "3:28: kernel 'first' has no key '<<'"),
    ("app: small\n", "app: \"small\n", "not YAML: "),
    ("app: small\n", "\tapp: small\n", "1:1: not YAML: "),
    ("app: small\n", "app: small\n---\n", "a second document"),
    ("app: small\n", "app: \"sm\\0all\"\n", "1:6: a text with a NUL in it"),
    ("app: small\n", "app: sm\xe9all\n".encode("latin-1"), "1:9: not YAML: invalid"),
    ("app: small\n", "? [a]\n: small\n", "a key is a word"),
    (GOOD, "", "it is empty"),
    (GOOD, "- 1\n", "1:1: an app file is a mapping"),
    (GOOD, "[" * 100, "nested too deeply"),
    (GOOD, "a:\n" + "".join(" " * i + "-\n" for i in range(1, 400)), "17:17: nested too deeply"),
    (GOOD, "#" * (1 << 20) + "#", "is over 1 MiB"),
    (GOOD, "".join("a%d: 1\n" % i for i in range(100000)), "8193:1: more than 8192 in one list: that is no app file"),
    (GOOD, "app: [%s]" % ("a," * 500000), "1:16391: more than 8192 in one list"),
]


class AppFile(Case):
    def refused(self, text, *arguments):
        self.write("k.rk.c", rk_command.DOUBLER)
        return self.run_rk("run", self.write("app.yaml", text), "--input", "-", *arguments, code=USAGE).errors

    def test_each_mistake_is_told_at_its_place(self):
        for old, new, told in MISTAKES:
            with self.subTest(new):
                self.assertIn(old, GOOD)
                text = GOOD.encode().replace(old.encode(), new if isinstance(new, bytes) else new.encode(), 1)
                self.assertIn(told, self.refused(text))

    def test_the_book_names_every_key_and_no_other(self):
        schema = (SOURCE / "src/cli/app_schema.c").read_text()
        keys = set(re.findall(r'\b(?:TEXT|WORD|CYAML_FIELD_\w+)\("(\w+)"', schema))
        page = (SOURCE / "docs/app-files.md").read_text()
        rows = [row.split("|")[1] for row in page.splitlines() if row.startswith("| `")]
        shape = {"name", "value", "from", "to"}  # what `a: 1` and `a -> b` are read as
        self.assertEqual(keys - shape - set(re.findall(r"`(\w+)`", page)), set())
        self.assertEqual(set(re.findall(r"`(\w+)`", "".join(rows))) - keys, set())

    def test_all_mistakes_are_told_together_in_the_order_of_the_file(self):
        text = GOOD.replace("app: small", "colour: red").replace("64", "x").replace("reject", "y").replace("-> first", "-> z").replace("turn", "w")
        errors = self.refused(text)
        places = [line.split("app.yaml:")[1].split(": ")[0] for line in errors.splitlines()]
        self.assertEqual(places, ["1:1", "1:1", "6:15", "7:19", "12:14", "13:30"])

    def test_what_follows_from_a_mistake_is_not_told_as_another(self):
        errors = self.refused(GOOD.replace("- input -> first", "- input ->"))
        self.assertEqual(errors.splitlines(), [f"rk: {self.folder}/app.yaml:12:13: route 'input -> ': 'to' is empty"])

    def test_what_set_says_wrong(self):
        for said, told in (("x", "'x' is not KERNEL.NAME=VALUE"), ("a=1", "is not KERNEL.NAME=VALUE"), (".a=1", "is not KERNEL.NAME=VALUE"),
                           ("a=1.5", "'a=1.5' is not KERNEL.NAME=VALUE"), ("first.=1", "'first.=1' is not KERNEL.NAME=VALUE"),
                           ("third.capacity=1", "there is no kernel 'third': valid are first and second"),
                           ("first.capacity=lots", "--set: kernel 'first': 'capacity' is 'lots'"),
                           ("first.boundaries=1,2", "--set: kernel 'first': 'boundaries' has 2 values: it needs 3"),
                           ("first.boundaries=[1,2,x]", "--set: kernel 'first': 'boundaries' is 'x'"),
                           ("first.boundaries=", "--set: kernel 'first': 'boundaries' has 1 values: it needs 3"),
                           ("first.backpressure=wait", "valid are block, reject, drop_oldest and drop_newest")):
            self.assertIn(told, self.refused(GOOD, "--set", said))

    def test_what_only_a_compiled_kernel_tells_is_told_at_its_place(self):
        kernels = "kernels:\n  doubler:\n    source: doubler.rk.c\n"
        said = APP.replace("kernels:\n  doubler: { source: doubler.rk.c }\n", kernels)
        for more, told in (("    params: { factor: three }\n", ":5:23: kernel 'doubler': RK_INVALID_OPTIONS"),
                           ("    params: { factr: 3 }\n", ":5:15: kernel 'doubler' declares no parameter 'factr': declared are factor\n"),
                           ("    capacity: 017\n", ":5:15: kernel 'doubler': RK_INVALID_OPTIONS\n    queue_capacity 17 is not a power of two; the nearest are 16 and 32\n"),
                           ("    actors: 10\n", ":5:13: kernel 'doubler': RK_INVALID_OPTIONS"),
                           ("    device: 3\n", ":5:13: kernel 'doubler': RK_INVALID_OPTIONS"),
                           ("    kernel: tripler\n", ":5:13: kernel 'doubler': RK_NO_SUCH_KERNEL")):
            app = self.app(said.replace(kernels, kernels + more))
            self.assertIn(f"{app}{told}", self.run_rk("run", app, "--input", "-", code=KERNEL).errors)

    def test_a_source_that_goes_while_another_is_compiled_is_told_at_its_place(self):
        app = self.app("app: a\nkernels:\n  first: { source: first.rk.c, kernel: doubler }\n  second:\n    source: second.rk.c\n"
                       "routes: [input -> first, first -> second, second -> output]\n", DOUBLER.replace("doubler", "second"), "second.rk.c")
        gate, second = self.folder / "gate.h", self.folder / "second.rk.c"
        (self.folder / "first.rk.c").write_text(f'#include "{gate}"\n{DOUBLER}')
        os.mkfifo(gate)
        done = threading.Event()

        def open_the_gate():  # to whoever reads it: the compiler, and who looks what it has read
            while not done.is_set():
                with contextlib.suppress(BrokenPipeError), open(gate, "w", encoding="utf-8") as file:
                    second.unlink(missing_ok=True)
                    file.write("\n")

        opener = threading.Thread(target=open_the_gate)
        opener.start()
        try:
            errors = self.run_rk("run", app, "--input", "-", code=IO).errors
        finally:
            done.set()
            while opener.is_alive():  # it may have been about to open once more
                os.close(os.open(gate, os.O_RDONLY | os.O_NONBLOCK))
                opener.join(0.01)
        self.assertIn(f"{app}:5:13: kernel 'second': {second}: RK_IO\n", errors)
        self.assertIn("No such file or directory", errors)

    def test_each_refused_option_is_told_at_its_own_place_with_what_else_is_wrong(self):
        app = self.app("app: a\nkernels:\n  doubler:\n    source: doubler.rk.c\n    capacity: 5000\n    max_batch: 99999\n    threads: 1025\n    boundaries: [1, 2, 3]\n"
                       "    params: { factr: 1, factor: x }\n  other: { source: doubler.rk.c, kernel: doublr, output_capacity: 17 }\n"
                       "routes: [input -> doubler, doubler -> other, other -> output]\n")
        errors = self.run_rk("run", app, "--input", "-", "--set", "other.deduplication=2000", code=KERNEL).errors
        invalid = "RK_INVALID_OPTIONS\n    "
        self.assertEqual(errors.replace(str(app), "").replace("rk: ", ""), "--set: kernel 'other': " + invalid + "deduplication_window 2000 is over 1024\n"
                         ":5:15: kernel 'doubler': " + invalid + "queue_capacity 5000 is not a power of two; the nearest are 4096 and 8192\n"
                         ":6:16: kernel 'doubler': " + invalid + "max_batch 99999 is not in 1 to 4096\n"
                         ":7:14: kernel 'doubler': " + invalid + "threads 1025 is not in 1 to 1024\n"
                         ":8:17: kernel 'doubler': " + invalid + "boundary 1, 2, 3 needs priority = 1, which makes the bands\n"
                         ":9:15: kernel 'doubler' declares no parameter 'factr': declared are factor\n"
                         ":9:33: kernel 'doubler': " + invalid + "parameter 'factor' of kernel 'doubler': 'x' is not an rk_i64: "
                         "-9223372036854775808 to 9223372036854775807\n"
                         ":10:42: kernel 'other': " + invalid + "there is no kernel 'doublr'; linked or loaded are: doubler\n"
                         ":10:67: kernel 'other': " + invalid + "output_capacity 17 is not a power of two; the nearest are 16 and 32\n")

    def test_what_routes_say_wrong_of_compiled_kernels_is_told_of_all_with_what_is_valid(self):
        kernel = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value), (rk_u32, part), (rk_f32, weight))
RK_MESSAGE(other, 2, (rk_i64, value))
RK_ROUTE(side)
RK_HANDLER(a, number, msg, rk_none, self) { rk_forward(RK_ARG); }
RK_HANDLER(b, number, msg, rk_none, self) { rk_forward(RK_ARG); }
"""
        lines = (("input -> a: { target: 3 }", "6:27: 'input -> a': 'target' is 3: kernel 'a' has shards 0 to 2\n"),
                 ("a -> b: { target: 2 }", "7:23: 'a -> b': 'target' is 2: kernel 'b' has shards 0 to 1\n"),
                 ("a -> b: { route: side, key: weight }",
                  "8:33: route 'a -> b': RK_INVALID_ARGUMENT\n    message 'number' has no integer field 'weight' to route by; it has: value, part\n"),
                 ("a -> b: { message: numbr }", "9:24: route 'a -> b': RK_UNKNOWN_TYPE\n"
                  "    kernel 'a' knows no message 'numbr'; of those that it knows, 'b' handles: number\n"),
                 ("b -> a: { message: other }", "10:24: route 'b -> a': RK_UNKNOWN_TYPE\n"
                  "    'a' has no handler for message 'other'; of those that 'b' knows, it handles: number\n"),
                 ("b -> a: { route: sid }", "11:22: route 'b -> a': RK_NO_SUCH_ROUTE\n"
                  "    kernel 'b' declares no route 'sid'; it declares: side (RK_ROUTE), and the default one has no name\n"),
                 ("b -> output: { route: side }", None))
        app = self.app("app: a\nkernels:\n  a: { source: k.rk.c, shards: 3 }\n  b: { source: k.rk.c, shards: 2 }\nroutes:\n"
                       + "".join("  - %s\n" % line for line, _ in lines), kernel, "k.rk.c")
        errors = self.run_rk("run", app, "--input", "-", code=KERNEL).errors
        self.assertEqual(errors, "".join("rk: %s:%s" % (app, told) for _, told in lines if told))
        errors = self.run_rk("run", self.app(app.read_text().replace("{ target: 3 }", "{ key: weight }"), kernel, "k.rk.c"), "--input", "-", code=KERNEL).errors
        self.assertEqual(errors, f"rk: {app}:6:24: route 'input -> a': 'weight' is no integer field of 'number': valid are value and part\n")

    def test_a_parameter_and_a_route_that_are_wrong_of_one_kernel_are_both_told(self):
        kernel = rk_command.DOUBLER.replace("RK_PARAM(", "RK_ROUTE(side)\nRK_PARAM(")
        app = self.app(APP.replace("{ source: doubler.rk.c }", "{ source: doubler.rk.c, params: { factr: 1 } }"), kernel)
        errors = self.run_rk("run", app, "--input", "-", code=KERNEL).errors
        self.assertIn(":3:46: kernel 'doubler' declares no parameter 'factr'", errors)
        self.assertIn(":3:3: route 'side' of kernel 'doubler' leads nowhere", errors)

    def test_a_repeated_line_is_told_once(self):
        lines = {"- second -> output\n": "route 'second -> output' is here twice; the first is on line 14",
                 "- input -> first\n": "a second route from the input (the first is on line 12): let 'first' send copies on",
                 "- first -> second: { route: dead letters }\n": "the dead letters of 'first' go to 'second' already, by line 15"}
        for line, told in lines.items():
            errors = self.refused(GOOD + ("  " + line) * (4 if "dead" in line else 3)).splitlines()
            self.assertEqual([one.split(": ", 2)[2] for one in errors if "already" in one or "dead" not in line], [told] * 3)
        topics = "topics:\n" + "  - first -> t\n" * 4 + "  - t -> second\n"
        self.assertEqual([one.split(": ", 2)[2] for one in self.refused(GOOD + topics).splitlines()],
                         ["topic 'first -> t' is here twice; the first is on line 16"] * 3)

    def test_every_source_that_does_not_compile_is_told_once(self):
        app = self.app("app: a\nkernels:\n  a: { source: a.rk.c }\n  b: { source: b.rk.c }\n  c: { source: a.rk.c }\n"
                       "routes: [input -> a, a -> b, b -> c, c -> output]\n", "int a = ;\n", "a.rk.c")
        self.write("b.rk.c", "int b = ;\n")
        errors = self.run_rk("run", app, "--input", "-", code=KERNEL).errors
        self.assertEqual(re.findall(r"app.yaml:(\d+:\d+): kernel '(\w)': \S+: RK_COMPILE_FAILED", errors), [("3:16", "a"), ("4:16", "b")])

    def test_a_mistake_lists_no_more_names_than_help(self):
        app = "app: a\nkernels:\n" + "".join("  k%d: { source: k.rk.c }\n" % i for i in range(100)) + "routes:\n  - input -> x\n"
        self.assertRegex(self.refused(app), "valid are output, k0, k1, .*, k61, k62 and 37 more\n")
        topics = "topics:\n" + "".join("  - k%d -> t%d\n" % (i, i) for i in range(100)) + "  - x -> k1\n"
        self.assertRegex(self.refused(app.replace("-> x", "-> k0") + topics), "there are t0, t1, .*, t61, t62 and 37 more\n")

    def test_what_set_says_of_a_kernel_that_declares_no_such_parameter(self):
        app = self.app()
        for said, told in (("factr=1", "--set: kernel 'doubler' declares no parameter 'factr': declared are factor; options are source, kernel, "),
                           ("params=x", "--set: kernel 'doubler' declares no parameter 'params': declared are factor"),
                           ("capcity=64", "slot_format, pool_blocks, system_order, spmd_check\n"),
                           ("width=block", "'width' is an attribute: say it in the kernel's source"),
                           ("queue_capacity=64", "'queue_capacity' is called 'capacity' here"),
                           ("factor=x", "--set: kernel 'doubler': RK_INVALID_OPTIONS\n    parameter 'factor' of kernel 'doubler': 'x' is not an rk_i64"),
                           ("params.factor=x", "--set: kernel 'doubler': RK_INVALID_OPTIONS"),
                           ("capacity=15", "--set: kernel 'doubler': RK_INVALID_OPTIONS"),
                           ("boundaries=3,2,1", "boundary 3, 2, 1: must rise")):
            more = ["--set", "doubler.priority=true"] if said[0] == "b" else []
            self.assertIn(told, self.run_rk("run", app, "--input", "-", "--set", "doubler." + said, *more, code=KERNEL).errors)
        twice = self.app(APP.replace("{ source: doubler.rk.c }", "{ source: doubler.rk.c, params: { factr: 1 } }"))
        self.assertIn("rk: --set: kernel 'doubler' declares no parameter 'factr'", self.run_rk("run", twice, "--input", "-", "--set", "doubler.factr=2", code=KERNEL).errors)
        self.app()
        for list_of in ("1,2,3", "[1, 2, 3]", " 1 ,2 , 3 "):
            done = self.run_app(app, "--input", "-", "--set", "doubler.priority=true", "--set", "doubler.boundaries=" + list_of, stdin=b"value\n1\n")
            self.assertEqual(done.stdout, b'{"value":2}\n')

    def test_parameters_of_every_kind(self):
        limits = {"u8": (0, 255), "i8": (-128, 127), "u16": (0, 65535), "i16": (-32768, 32767), "u32": (0, 4294967295),
                  "i32": (-2147483648, 2147483647), "u64": (0, 18446744073709551615), "i64": (-9223372036854775808, 9223372036854775807)}
        kinds = [*limits, "f32", "f64"]
        app = self.app(APP.replace("doubler", "kinds"), name="kinds.rk.c", kernel="#include <ringkernel/kernel.h>\n"
                       "RK_MESSAGE(number, 1, (rk_i64, value))\nRK_MESSAGE(all, 2, " + ", ".join("(rk_%s, %s)" % (k, k) for k in sorted(kinds, key=lambda kind: -int(kind[1:])))
                       + ", (rk_u8, pad, 6))\n" + "".join("RK_PARAM(rk_%s, %s, 1)\n" % (k, k) for k in kinds)
                       + "RK_HANDLER(kinds, number, msg, rk_none, self)\n{\n    all out;\n    (void)msg;\n    for (rk_u32 i = 0; i < 6; i++) out.pad[i] = 0;\n"
                       + "".join("    out.%s = RK_PARAM_OF(%s);\n" % (k, k) for k in kinds) + "    rk_send(RK_ARG, &out);\n}\n")

        def values(**sets):
            words = [word for name, value in sets.items() for word in ("--set", "kinds.%s=%s" % (name, value))]
            return json.loads(self.run_app(app, "--input", "-", *words, stdin=b"value\n1\n").stdout)

        self.assertEqual(values(), dict({kind: 1 for kind in kinds}, pad=[0] * 6))
        for side in (0, 1):
            asked = {kind: limit[side] for kind, limit in limits.items()}
            self.assertEqual(values(**asked), dict({kind: 1 for kind in kinds}, pad=[0] * 6) | asked)
        self.assertEqual([values(f32="-2.5", f64="1e-3", u8="0x10", i8="+7", u16="007")[k] for k in ("f32", "f64", "u8", "i8", "u16")],
                         [-2.5, 0.001, 16, 7, 7])
        wrong = [(kind, str(limit[side] + (1 if side else -1)), "%d to %d" % limit) for kind, limit in limits.items() for side in (0, 1)]
        wrong += [("u8", "1.0", "0 to 255"), ("i32", "", "-2147483648 to"), ("i16", " 1", "-32768"), ("u32", "1 ", "0 to"), ("f32", "1e39", "a number, as 0.5 or 1e-3, up to 3.4e38"),
                  ("f64", "1e999", "a number, as 0.5 or 1e-3, up to 1.7e308"), ("f64", "1,5", "a number, as 0.5")]
        for kind, value, told in wrong:
            errors = self.run_rk("run", app, "--input", "-", "--set", "kinds.%s=%s" % (kind, value), code=KERNEL).errors
            self.assertIn("parameter '%s' of kernel 'kinds': '%s' is not an rk_%s: %s" % (kind, value, kind, told), errors)

    def test_parameters_with_bounds(self):
        app = self.app(kernel=rk_command.DOUBLER.replace("RK_PARAM(rk_i64, factor, 2)", "RK_PARAM_IN(rk_i64, factor, 2, -1, 3)"))
        for value in ("-1", "3"):
            self.assertEqual(self.run_app(app, "--input", "-", "--set", "doubler.factor=" + value, stdin=b"value\n1\n").stdout, b'{"value":%s}\n' % value.encode())
        for value in ("-2", "4"):
            self.assertIn("rk: --set: kernel 'doubler': RK_INVALID_OPTIONS\n    parameter 'factor' of kernel 'doubler': '%s' is not one of its values: -1 to 3\n" % value,
                          self.run_rk("run", app, "--input", "-", "--set", "doubler.factor=" + value, code=KERNEL).errors)
        app = self.app(kernel=rk_command.DOUBLER.replace("RK_PARAM(rk_i64, factor, 2)", "RK_PARAM_IN(rk_i64, factor, 2, 3, 4)"))
        self.assertRegex(self.run_rk("run", app, "--input", "-", code=KERNEL).errors, "doubler.rk.c:4: the default of parameter 'factor' is not one of its values")

    def test_a_byte_order_mark_before_the_app(self):
        app = self.app("\ufeff" + APP)
        self.assertEqual(self.run_app(app, "--input", "-", stdin=b"value\n1\n").stdout, b'{"value":2}\n')
        self.assertIn("app.yaml:1:1: the app file has no key 'apps'", self.refused("\ufeff" + GOOD.replace("app:", "apps:")))
        self.assertIn("app.yaml:1:9: not YAML: invalid", self.refused("\ufeff".encode() + GOOD.encode().replace(b"small", b"sm\xe9all")))

    def test_set_goes_over_the_file(self):
        app = self.app(APP.replace("{ source: doubler.rk.c }", "{ source: doubler.rk.c, params: { factor: 3 } }"))
        for sets, value in (([], 3), (["doubler.factor=4"], 4), (["doubler.factor=4", "doubler.params.factor=5"], 5)):
            arguments = [word for one in sets for word in ("--set", one)]
            done = self.run_app(app, "--input", "-", *arguments, stdin=b"value\n1\n", code=OK)
            self.assertEqual(done.stdout, b'{"value":%d}\n' % value)
        self.run_app(app, "--input", "-", "--set", "doubler.capacity=15", stdin=b"value\n1\n", code=KERNEL)
        self.run_app(app, "--input", "-", "--set", "doubler.capacity=16", "--set", "doubler.preset=low_latency", stdin=b"value\n1\n")

    def test_a_kernel_beside_its_neighbour_works_where_there_is_one_device(self):
        app = self.app(APP.replace("{ source: doubler.rk.c }", "{ source: doubler.rk.c, shards: 2, beside_neighbour: true }"))
        done = self.run_app(app, "--input", "-", stdin=b"value\n1\n", code=OK)
        self.assertEqual(done.stdout, b'{"value":2}\n')

    def test_what_the_route_of_the_rows_says_wrong(self):
        kernel = rk_command.DOUBLER.replace("(rk_i64, value))", "(rk_i64, value), (rk_f64, weight), (rk_i32, pair, 2), (rk_u32, part), (rk_f32, share))")
        kernel = kernel.replace("number out = {", "number out = *msg;\n    out = (number){")
        for said, told in (("{ key: weight }", ":5:30: route 'input -> doubler': 'weight' is no integer field of 'number': valid are value and part\n"),
                           ("{ key: share }", ":5:30: route 'input -> doubler': 'share' is no integer field of 'number': valid are value and part\n"),
                           ("{ key: pair }", ":5:30: route 'input -> doubler': 'pair' is no integer field of 'number': valid are value and part\n"),
                           ("{ message: row }", ":5:34: kernel 'doubler' has no handler for 'row': valid are number\n")):
            app = self.app(APP.replace("input -> doubler", "input -> doubler: " + said), kernel)
            self.assertEqual(self.run_rk("run", app, "--input", "-", code=KERNEL).errors, f"rk: {app}{told}")

    def test_the_target_of_a_route_is_one_of_the_actors_that_there_are(self):
        kernel = rk_command.DOUBLER.replace("rk_none, self", "rk_u32, self, .state = RK_PER_ACTOR").replace(", .state = RK_PER_ACTOR, .mode = RK_ADAPTIVE", ", .state = RK_PER_ACTOR")
        for target, code in ((9, OK), (10, KERNEL)):
            app = self.app(APP.replace("rk.c }", "rk.c, actors: 10 }").replace("input -> doubler", "input -> doubler: { target: %d }" % target), kernel)
            done = self.run_rk("run", app, "--input", "-", code=code, stdin=b"value\n1\n")
            if code:
                self.assertEqual(done.errors, f"rk: {app}:5:33: 'input -> doubler': 'target' is 10: kernel 'doubler' has actors 0 to 9\n")
            else:
                self.assertEqual(done.stdout, b'{"value":2}\n')

    def test_quotes_and_backslashes_stay_as_they_are(self):
        name = 'a "b" \\c\\'
        done = self.run_app(self.app(APP.replace("app: doubler", "app: '%s'" % name)), "--input", "-", stdin=b"value\n1\n")
        self.assertEqual(done.summary["app"], name)

    def test_a_source_that_is_no_regular_file(self):
        self.write("k.rk.c", rk_command.DOUBLER).unlink()
        os.mkfifo(self.folder / "k.rk.c")
        app = self.write("app.yaml", GOOD)
        self.assertIn(f"{app}:5:13: source '{self.folder}/k.rk.c' is no regular file\n", self.run_rk("run", app, "--input", "-", code=USAGE).errors)

    def test_files_that_are_no_app_file(self):
        self.assertIn("No such file", self.run_rk("run", self.folder / "none.yaml", code=USAGE).errors)
        self.assertIn("is a folder", self.run_rk("run", self.folder, code=USAGE).errors)

    def test_input_and_output_that_the_app_names(self):
        self.write("rows.txt", "value\n1\n2\n")
        app = self.app(APP.replace("kernels:", "input: { file: rows.txt, format: csv }\noutput: { file: out.csv }\nkernels:"))
        self.assertEqual(self.run_app(app).stdout, b"")
        self.assertEqual((self.folder / "out.csv").read_text(), "value\n2\n4\n")
        done = self.run_app(app, "--output", "-", cwd="/")
        self.assertEqual(done.stdout, b'{"value":2}\n{"value":4}\n')

    def test_files_whose_whole_name_is_an_ending_or_shorter(self):
        rows, app = b"value\n1\n", self.app(APP)
        for name in ("a", ".csv"):
            self.write(name, rows)
            self.assertEqual(self.run_app(app, "--input", name, cwd=self.folder).stdout, b'{"value":2}\n')
        self.run_app(app, "--input", "-", "--output", ".csv", stdin=rows, cwd=self.folder)
        self.assertEqual((self.folder / ".csv").read_text(), "value\n2\n")
        self.write(".zst", rows)
        self.assertIn(".zst: not zstd data, though it is called so", self.run_app(app, "--input", ".zst", cwd=self.folder, code=rk_command.IO).errors)
        (self.folder / ".zst").unlink()
        self.assertIn("'.zst' is called .zst", self.run_rk("run", app, "--input", "-", "--output", ".zst", cwd=self.folder, code=USAGE).errors)

    def test_the_format_that_the_app_says_goes_over_the_name_of_its_own_file_alone(self):
        self.write("rows.csv", '{"value":1}\n')
        self.write("other.csv", "value\n2\n")
        app = self.app(APP.replace("kernels:", "input: { file: rows.csv, format: ndjson }\noutput: { file: out.ndjson, format: csv }\nkernels:"))
        self.run_app(app)
        self.assertEqual((self.folder / "out.ndjson").read_text(), "value\n2\n")
        self.run_app(app, "--input", self.folder / "other.csv", "--output", self.folder / "other.ndjson")
        self.assertEqual((self.folder / "other.ndjson").read_text(), '{"value":4}\n')

    def test_files_without_a_format_go_by_their_names(self):
        csv, ndjson = b"value\n1\n", b'{"value":1}\n'
        app = self.app()
        for end, rows in ((".csv", csv), (".ndjson", ndjson), (".jsonl", ndjson), (".json", ndjson), (".txt", csv), ("", csv), (".csv.txt", csv)):
            for packed in (False, True):
                data = subprocess.run(["zstd", "-q"], input=rows, stdout=subprocess.PIPE, check=True).stdout if packed else rows
                path = self.write("rows" + end + (".zst" if packed else ""), data)
                self.assertEqual(self.run_app(app, "--input", path).stdout, b'{"value":2}\n', path)
        for end, lines in ((".csv", b"value\n2\n"), (".ndjson", b'{"value":2}\n'), (".jsonl", b'{"value":2}\n'), (".txt", b'{"value":2}\n')):
            self.run_app(app, "--input", self.write("rows.csv", csv), "--output", self.folder / ("out" + end))
            self.assertEqual((self.folder / ("out" + end)).read_bytes(), lines)
        app = self.app(APP.replace("kernels:", "input: { format: ndjson }\noutput: { format: csv }\nkernels:"))
        for path in ("-", self.write("rows.txt", ndjson)):  # whose name says nothing: as the app says
            self.assertEqual(self.run_app(app, "--input", path, stdin=ndjson).stdout, b"value\n2\n")
        self.run_app(app, "--input", "-", "--output", self.folder / "out.txt", stdin=ndjson)
        self.assertEqual((self.folder / "out.txt").read_bytes(), b"value\n2\n")

    def test_what_is_written_is_not_called_compressed(self):
        for option in ("--output", "--dead-letters", "--summary"):
            path = self.folder / "new.csv.zst"
            done = self.run_rk("run", self.app(), "--input", "-", option, path, stdin=b"value\n1\n", code=USAGE)
            self.assertIn(f"'{path}' is called .zst, but nothing is compressed as it is written", done.errors)
            self.assertFalse(path.exists())
        app = self.app(APP.replace("kernels:", "output: { file: out.csv.zst }\nkernels:"))
        self.assertIn("app.yaml:2:17: '", self.run_rk("run", app, "--input", "-", code=USAGE).errors)
        self.assertEqual(self.run_rk("run", app, "--input", "-", "--output", "-", stdin=b"value\n1\n").stdout, b'{"value":2}\n')

    def test_standard_streams_that_the_app_names(self):
        app = self.app(APP.replace("kernels:", "input: { file: '-' }\noutput: { file: '-' }\nkernels:"))
        for path, folder in ((app, "/"), ("app.yaml", self.folder)):
            self.assertEqual(self.run_app(path, cwd=folder, stdin=b"value\n1\n").stdout, b'{"value":2}\n')


if __name__ == "__main__":
    rk_command.main()
