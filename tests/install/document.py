#!/usr/bin/python3
"""What a document shows, done as its reader would: `document.py DOCUMENT [LINES]`, with the RK_ variables of CTest.

The program (a ```c block with main) becomes summer.c; without main, a kernel of its own, summer.rk.c; a ```yaml block
app.yaml. Then the commands of every block that begins with "$ " are run by one shell, in a folder in which ~/.local is
the installed tree and build/install the build, and each must print what the document shows below it. Only the lines
that build are left out. A block without main that ends in a launch replaces the program's launch: what the changed
program says must be the block that follows it. The program has at most so many LINES, empty ones too.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BUILDS = "cmake --preset"
SKIPPED = 77


def kernel_of(program):
    """What of a program is a source of kernels: all before main, and nothing of the host's side."""
    return re.sub(r"^#include <(stdio|ringkernel/ringkernel)\.h>.*\n", "", program[:program.index("int main")], flags=re.MULTILINE)


class Document:
    def __init__(self, path):
        self.blocks = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)

    def first(self, language, holds):
        return next((text for name, text in self.blocks if name == language and holds in text), None)

    def commands(self):
        """Of each command, what is printed below it; of a block that only sets things up, nothing."""
        found = []
        for language, text in self.blocks:
            if language or not text.startswith("$ "):
                continue
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                found.append((command, shown))
        return found

    def changed_launch(self):
        """The block that launches otherwise, and the one behind it; None if the document has none."""
        for (language, text), (_, said) in zip(self.blocks, self.blocks[1:]):
            if language == "c" and "main(" not in text and "rk_launch(" in text.rstrip().rsplit("\n", 1)[-1]:
                return text, said
        return None


def write_files(document, folder):
    program = document.first("c", "int main")
    (folder / "summer.c").write_text(program)
    (folder / "summer.rk.c").write_text(kernel_of(program))
    app = document.first("yaml", "app:")
    if app:
        (folder / "app.yaml").write_text(app)


def make_tree(folder):
    """~ and build/install, and a `cc` that is the build's compiler with its sanitizers. Returns the environment."""
    build, tools = folder / "build", folder / "tools"
    build.mkdir()
    tools.mkdir()
    (build / "install").symlink_to(os.environ["RK_BINARY_DIR"])
    compiler = tools / "cc"
    compiler.write_text(f'#!/bin/sh\nexec "{os.environ["RK_CC"]}" {os.environ.get("RK_FLAGS", "")} "$@"\n')
    compiler.chmod(0o755)
    return {**os.environ, "HOME": str(folder), "PATH": f"{tools}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8",
            "XDG_CACHE_HOME": str(folder / "cache")}


def run(commands, folder, environment):
    """Runs them in one shell. Of each, what it printed on its output; ends the test if one fails."""
    lines = ["set -eu -o pipefail"]
    for number, (command, _) in enumerate(commands):
        lines.append(f"echo {number} > at\n{{ {command}\n}} > out.{number}")
    done = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=folder, env=environment, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"$ {commands[int((folder / 'at').read_text())][0]}\nfailed:\n{done.stderr}")
    return [(folder / f"out.{number}").read_text() for number in range(len(commands))]


def same(what, shown, said):
    if said != shown:
        sys.exit(f"{what}\n-- the document shows:\n{shown}-- it says:\n{said}")
    print(f"ok: {what}")


def main():
    document = Document(pathlib.Path(sys.argv[1]))
    lines = len(document.first("c", "int main").splitlines())
    if len(sys.argv) > 2 and lines > int(sys.argv[2]):
        sys.exit(f"the program has {lines} lines, where at most {sys.argv[2]} are meant")
    if not (pathlib.Path(os.environ["RK_PREFIX"]) / "lib/pkgconfig/ringkernel.pc").exists():
        print("SKIP: this build doesn't install its libraries to lib/, as the document has it")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="rk-document-") as name:
        folder = pathlib.Path(name)
        write_files(document, folder)
        environment = make_tree(folder)
        commands = [c for c in document.commands() if not c[0].startswith(BUILDS)]
        if not os.environ.get("RK_COMMAND"):
            print("rk is not built: commands with it are left out")
            commands = [c for c in commands if not re.search(r"(^|\| )rk ", c[0])]
        installs = any(command.startswith("cmake --install") for command, _ in commands)
        if not installs or not any("./summer" in command for command, _ in commands):
            sys.exit("the document doesn't install, or doesn't run its program")
        said = run(commands, folder, environment)
        for (command, shown), printed in zip(commands, said):
            if shown or not command.startswith("cmake"):
                same(f"$ {command}", shown, printed)
        changed = document.changed_launch()
        if changed:
            launch, shown = changed
            program = re.sub(r"^ *RK_CHECK\(rk_launch\(.*\n", lambda _: launch, document.first("c", "int main"),
                             flags=re.MULTILINE)
            (folder / "summer.c").write_text(program)
            settings = [c for c in commands if c[0].startswith("export")]
            compile_it = next(c for c in commands if c[0].startswith("cc "))[0].split("&&")[0]
            failing = "{ ./summer 2>&1 && echo it succeeded; } || true"
            printed = run(settings + [(compile_it, ""), (failing, "")], folder, environment)[-1]
            same("the launch that is refused", shown, printed)


if __name__ == "__main__":
    main()
