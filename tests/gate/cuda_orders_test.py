#!/usr/bin/python3
"""The orders of the memory model as PTX: each labelled side comes out as the instruction that it needs, no weaker.

A probe is a kernel around one function of the device headers. PROBES says which ordered instructions it compiles to, for
compute capability 7.5 as for 9.0. That the table would notice is shown by mutants: every labelled order in the headers is
made relaxed, and its scope narrower, one at a time, and each time some probe comes out differently.
"""
import functools
import itertools
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import gate

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURES = ("compute_75", "compute_90")
WEAKER = {"RK_ACQUIRE": "RK_RELAXED", "RK_RELEASE": "RK_RELAXED", "RK_ACQ_REL": "RK_RELAXED",
          "RK_SCOPE_SYSTEM": "RK_SCOPE_DEVICE", "RK_SCOPE_DEVICE": "RK_SCOPE_BLOCK"}

LOAD_SEEN = ["ld.acquire.gpu.b64", "ld.acquire.sys.b64", "st.release.gpu.b64"]  # cached head, P1, cached head
UNIT_LOAD, UNIT_STORE = "ld.volatile.global.v4.u32", "st.volatile.global.v4.u32"
COUNT = "st.relaxed.sys.b64"

# By name: parameters, body, the instructions. A list is in this order, and "+" stands behind what is there several times, for
# loops are unrolled; a tuple is what it begins with. A set is of a function whose branches the compiler lays out as it likes:
# these and no others. A dictionary says how often these are there, among others.
PROBES = {
    # -- the pairs of the message protocol, by labels
    "p1_room": ("rk_ring *r, rk_u64 tail, rk_u32 *to", "*to = rk_ring_room(r, tail, 1);", LOAD_SEEN),
    "p1_counted": ("rk_ring *r, rk_claim *to", "*to = rk_ring_claim_counted(r, 8, RK_UNTIL_KNOWN);",
                   ["ld.relaxed.gpu.b32", "atom.add.acquire.gpu.u32", "atom.add.relaxed.gpu.u32", "ld.acquire.gpu.b64+",
                    "atom.add.acq_rel.gpu.u64"]),
    "p1_oldest": ("rk_ring *r, rk_u64 *to", "*to = rk_ring_oldest(r);", ["ld.acquire.gpu.b64", "ld.relaxed.sys.b64"]),
    "p2_publish": ("rk_ring *r, rk_u8 *slot, rk_u64 index", "rk_ring_publish(r, slot, index);", ["st.release.gpu.b32"]),
    "p2_one_of_many": ("rk_slots s, rk_u8 *slot, rk_u64 index", "rk_slots_publish(s, slot, index);", ["st.release.gpu.b32"]),
    "p2_put": ("rk_slots s, rk_u64 index, rk_u32 *header, rk_u32 *payload", "rk_slots_put(s, index, header, payload, 8);",
               ["st.release.gpu.b32"]),
    "p3_overwrite": ("rk_ring *r, rk_u8 *slot, rk_u64 index, rk_u32 *header, rk_u32 *payload",
                     "rk_overwrite(r, slot, index, header, payload, 8);", ["st.relaxed.gpu.b32", "st.release.gpu.b32+"]),
    "c1_ready": ("rk_ring *r, rk_u8 *arena, rk_u64 head, rk_u32 *to", "*to = rk_ring_ready(r, arena, head, 1);",
                 ["ld.acquire.gpu.b32"]),
    "c2_commit": ("rk_ring *r, rk_u64 head", "rk_ring_commit(r, head);",
                  ["st.relaxed.gpu.b64", "atom.add.release.gpu.u32", "st.relaxed.sys.b64",  # of units
                   "st.release.gpu.b64", "atom.add.release.gpu.u32", "st.release.sys.b64"]),
    "c3_overwritten": ("rk_ring *r, rk_u8 *slot, rk_u64 index, rk_u32 *into, rk_u32 *to",
                       "*to = rk_overwritten_read(r, slot, index, into);", ["ld.acquire.gpu.b32+", "ld.relaxed.gpu.b32"]),
    "e1_put_locked": ("rk_lane *lane, rk_u8 *arena, rk_u32 *header, rk_u32 *payload, rk_status *to",
                      "*to = rk_lane_put_locked(lane, arena, header, payload, 8, 1);",
                      {"ld.relaxed.gpu.b32", "atom.exch.acquire.gpu.b32", "ld.acquire.gpu.b64", "ld.relaxed.sys.b64",
                       "ld.acquire.sys.b64", "st.release.gpu.b64", "st.relaxed.gpu.b32", "st.release.gpu.b32",
                       "st.relaxed.sys.b64", UNIT_STORE}),
    "e2_take_overwritten": ("rk_context *c, rk_ring *r, rk_u32 *to", "*to = rk_take_overwritten(c, r, 1);",
                            {"ld.acquire.sys.b64", "st.relaxed.gpu.b64", "st.relaxed.sys.b64", "st.release.gpu.b64", "st.release.sys.b64",
                             "atom.add.release.gpu.u32", UNIT_LOAD, "ld.acquire.gpu.b32", "ld.relaxed.gpu.b32"}),
    "l1_lock": ("rk_lane *lane", "rk_lane_lock(lane);", ["ld.relaxed.gpu.b32", "atom.exch.acquire.gpu.b32"]),
    "l2_unlock": ("rk_lane *lane", "rk_lane_unlock(lane);", ["st.release.gpu.b32"]),
    "stamp": ("rk_ring *r, rk_u64 index, rk_u64 now", "rk_ring_stamp(r, index, 1, now);", ["st.relaxed.sys.b64"]),
    "take_stamp": ("rk_context *c, rk_view *view", "rk_take_stamp(c, view);", {"ld.relaxed.sys.b64", COUNT}),
    "n1_sources_ended": ("rk_context *c, rk_u32 *to", "*to = rk_sources_ended(c);",
                         ["ld.acquire.sys.b32", "ld.acquire.sys.b64", "ld.acquire.gpu.b64", "ld.relaxed.sys.b64",
                          "ld.acquire.sys.b64"]),
    "n1_awaits_replies": ("rk_context *c, rk_u32 *to", "*to = rk_awaits_replies(c);", ["ld.acquire.sys.b32"]),
    "n2_end_edges": ("rk_context *c", "rk_end_edges(c);", ["st.release.sys.b64"]),
    "b1_batch_release": ("rk_shard *shard", "rk_batch_release(shard->memory);", {"fence.release.gpu", "fence.release.sys"}),
    "b2_batch_acquire": ("rk_shard *shard", "rk_batch_acquire(shard->memory);", {"fence.acquire.gpu", "fence.acquire.sys"}),
    "b1_across": ("", "rk_batch_release(RK_ACROSS_BUS);", ["fence.release.sys"]),
    "b2_across": ("", "rk_batch_acquire(RK_ACROSS_BUS);", ["fence.acquire.sys"]),
    "t1_await": ("rk_turnstile *t, rk_u32 *to", "*to = rk_turnstile_await(&t->passed, &t->halted, 1);",
                 ["ld.acquire.cta.shared.u32+"]),
    "t2_pass": ("rk_turnstile *t", "rk_turnstile_pass(&t->passed, 1);", ["st.release.cta.shared.u32"]),
    "t2_claim": ("rk_ring *r, rk_turnstile *t, rk_u64 *to", "*to = rk_port_add_and_tell(1, &r->tail, 1, &t->passed, 1);",
                 ["atom.relaxed.gpu.global.add.u64", "st.release.cta.shared.u32"]),
    # -- over the bus: no order, but whole units, and what is posted
    "unit_read": ("rk_ring *r, rk_u8 *slot, rk_u64 index, rk_u32 *into, rk_u32 *to",
                  "*to = rk_unit_read(r, slot, index, into);", [UNIT_LOAD + "+"]),
    "unit_write": ("rk_ring *r, rk_u8 *slot, rk_u64 index, rk_u32 *header, rk_u32 *payload",
                   "rk_unit_write(r, slot, index, header, payload, 8);", [UNIT_STORE + "+"]),
    "warp_take": ("rk_context *c, rk_cut *cut, rk_ring *r, rk_u64 index, rk_u32 *to",
                  "*to = rk_warp_take(c, cut, r, index, 8, 0);", [UNIT_LOAD + "+"]),
    "warp_publish": ("rk_context *c, rk_cut *cut, rk_ring *r, rk_u64 first, rk_u16 *numbers",
                     "rk_warp_publish(c, cut, r, first, numbers, 8);", [UNIT_STORE]),
    "orders_look": ("rk_entry *entry", "rk_block_look(entry);", [UNIT_LOAD]),
    "phase_busy": ("rk_context *c", "rk_phase(c, RK_PHASE_BUSY);", ["st.relaxed.sys.b32"]),
    "phase_ended": ("rk_context *c", "rk_phase(c, RK_PHASE_ENDED);", ["st.release.sys.b32"]),
    "claim": ("rk_ring *r, rk_claim *to", "*to = rk_ring_claim(r, 1);",
              {"ld.relaxed.gpu.b32", "ld.relaxed.gpu.b64", *LOAD_SEEN, "atom.add.acquire.gpu.u32",
               "atom.add.relaxed.gpu.u32", "atom.add.acq_rel.gpu.u64", "atom.cas.acq_rel.gpu.b64"}),
    # -- fences, as a handler asks for them
    "fence_release_device": ("", "rk_memory_fence(RK_RELEASE, RK_SCOPE_DEVICE);", ["fence.release.gpu"]),
    "fence_acquire_device": ("", "rk_memory_fence(RK_ACQUIRE, RK_SCOPE_DEVICE);", ["fence.acquire.gpu"]),
    "fence_sequential_device": ("", "rk_memory_fence(RK_SEQ_CST, RK_SCOPE_DEVICE);", ["fence.sc.gpu"]),
    "fence_release_block": ("", "rk_memory_fence(RK_RELEASE, RK_SCOPE_BLOCK);", ["fence.release.cta"]),
    "fence_release_system": ("", "rk_memory_fence(RK_RELEASE, RK_SCOPE_SYSTEM);", ["fence.release.sys"]),
    "fence_sequential_system": ("", "rk_memory_fence(RK_SEQ_CST, RK_SCOPE_SYSTEM);", ["fence.sc.sys"]),
    # -- whole turns, which hold M1, and the fences of RK_SEQUENTIAL
    "m1_open": ("rk_context *c, rk_u32 *limit, rk_u32 *to", "*to = rk_visit_open(c, limit);",
                ("ld.acquire.sys.b32", COUNT, "ld.acquire.sys.b32")),
    "m1_taken": ("rk_context *c, rk_u32 *to", "*to = rk_visit_taken(c);", {"ld.acquire.sys.b32": 5}),  # with N1, and a look behind each hook
    "m1_draining": ("rk_context *rk_ctx, rk_u32 *to", "*to = rk_is_draining(rk_ctx);", {"ld.acquire.sys.b32": 2}),  # with N1
    "publish": ("rk_context *c, rk_u32 *to", "*to = rk_publish(c);", {"fence.release.sys": 1}),  # a reference's
    "join": ("rk_context *c, rk_u8 *slot", "rk_message_join(c, slot);", ["fence.acquire.gpu"]),  # likewise, if relaxed
    "examine": ("rk_context *c, rk_u32 *to", "*to = rk_message_examine(c);", {"fence.acquire.gpu": 1}),  # likewise
}
LABELS = ("P1", "P2", "P3", "C1", "C2", "C3", "E1", "E2", "L1", "L2", "N1", "N2", "M1", "B1", "B2")

# An ordered instruction, or the name of a function that is called.
STEP = re.compile(r"\b(?:(?:(?:ld|st)\.(?:acquire|release|relaxed|volatile|mmio)|atom|red|fence|membar)\.[\w.]+|_Z\w+)")
FUNCTION = re.compile(r"^\.(?:visible \.entry|func)\b[^{]*?(\w+)\([^{]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
LABEL = re.compile(r"/\* (" + "|".join(LABELS) + r")\b")  # the comment behind a labelled statement


def instructions(ptx, names):
    """The ordered ones of each probe, as they come; those of a function that isn't inlined stand where it is called."""
    functions = {name: STEP.findall(body) for name, body in FUNCTION.findall(ptx)}

    def flat(name):
        for step in functions[name]:
            yield from flat(step) if step in functions else () if step.startswith("_Z") else (step,)

    return {name: list(flat(f"probe_{name}")) for name in names}


def is_expected(found, expected):
    if isinstance(expected, dict):
        return all(found.count(one) == times for one, times in expected.items())
    if isinstance(expected, set):
        return expected == set(found)
    runs = [(one, len(list(same))) for one, same in itertools.groupby(found)]
    shown = [one + "+" * (count > 1) for one, count in runs]
    return shown == expected if isinstance(expected, list) else found[: len(expected)] == list(expected)


@functools.cache
def compiler(architecture, root):
    nvrtc = gate.Nvrtc(architecture)
    nvrtc.open(root, None)
    return nvrtc


def compiled(architecture, root, names, head=""):
    """What these probes compile to, in a unit that begins with `head`."""
    text = (f"{head}#include <ringkernel/device/unit.h>\n#include <ringkernel/kernel.h>\n"
            f"#include <ringkernel/device/entry.h>\n{gate.HERE}")
    for name in names:
        parameters, body, _ = PROBES[name]
        text += f'extern "C" __global__ void probe_{name}({parameters}) {{ {body} }}\n'
    ok, said, ptx = compiler(architecture, root).translate("the orders' probes", text)
    assert ok, said
    return instructions(ptx, names)


def differences(architecture, root, label=""):
    """Of the probes of a label, or of all, those that aren't what the table says, and what they are."""
    names = [name for name in PROBES if name.startswith(label.lower())]
    found = compiled(architecture, root, names)
    return {name: found[name] for name in names if not is_expected(found[name], PROBES[name][2])}


def mutants():
    """Each labelled place of the device headers, once with its order and once with its scope weakened."""
    for path in sorted((ROOT / "include/ringkernel/device").glob("*.h")):
        text = path.read_text()
        for place in LABEL.finditer(text):
            line = text.count("\n", 0, place.start()) + 1
            for words in (r"RK_(?:RELAXED|ACQUIRE|RELEASE|ACQ_REL)\b", r"RK_SCOPE_(?:SYSTEM|DEVICE)\b"):
                *_, word = re.finditer(words, text[: place.start()])  # the nearest before it
                if word.group() == "RK_RELAXED":  # as the place says, and the table
                    continue
                assert text.count("\n", word.end(), place.start()) <= 1, f"{path.name}:{line}: no {words}"
                mutated = text[: word.start()] + WEAKER[word.group()] + text[word.end() :]
                yield f"{place.group(1)}, {path.name}:{line}, {word.group()}", place.group(1), path.name, mutated


class Orders(unittest.TestCase):
    maxDiff = None

    def test_each_side_of_each_pair_is_the_instruction_that_the_table_names(self):
        for architecture in ARCHITECTURES:
            with self.subTest(architecture):
                self.assertEqual(differences(architecture, ROOT), {})

    def test_between_devices_atomics_are_system_wide_and_nothing_else_differs(self):
        alone, several = (compiled("compute_90", ROOT, PROBES, head) for head in ("", "#define RK_UNIT_PEERS 1\n"))
        for name in PROBES:
            with self.subTest(name):
                wide = sorted(one if one.startswith("fence") else one.replace(".gpu", ".sys") for one in alone[name])
                self.assertEqual(wide, sorted(several[name]))

    def test_every_labelled_order_that_is_weakened_is_noticed(self):
        noticed = set()
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "include", Path(folder) / "include")
            for name, label, header, text in mutants():
                path = Path(folder) / "include/ringkernel/device" / header
                whole = path.read_text()
                path.write_text(text)
                with self.subTest(name):
                    self.assertNotEqual(differences("compute_90", folder, label), {})
                path.write_text(whole)
                noticed.add(label)
        self.assertEqual(noticed, set(LABELS))


if __name__ == "__main__":
    try:
        compiler(ARCHITECTURES[0], ROOT)
    except gate.Missing as missing:
        print(f"skipped: {missing}")
        sys.exit(77)
    unittest.main()
