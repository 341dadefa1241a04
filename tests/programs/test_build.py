"""What builds, installs and runs programs: on a mount, by their times, modes, links and maps."""
import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from commands import needs, run, start
from harness import raises_errno

ROOT = Path(__file__).resolve().parents[2]


@needs("meson", "ninja", "gcc")
def test_riad_builds_itself(place, shared, binary):
    """A package of many files; afterwards, and after a remount, nothing is out of date but what is touched."""
    source, build = place / "source", place / "build"
    for name in ("src", "include", "scripts", "packaging", "docs", "tests/unit", "tests/differential"):
        shutil.copytree(ROOT / name, source / name)
    shutil.copy(ROOT / "meson.build", source)
    run("meson", "setup", build, source, "--buildtype=debug", cwd=place)
    assert "Linking target riad" in run("ninja", "-C", build, "riad", cwd=place)
    assert run(binary, "--version", cwd="/").startswith(run(build / "riad", "--version", cwd=place).strip())
    shared.remount()
    assert "no work to do" in run("ninja", "-C", build, "riad", cwd=place)
    (source / "src" / "cli" / "main.c").touch()
    assert "[2/2]" in run("ninja", "-C", build, "riad", cwd=place)
    assert "no work to do" in run("ninja", "-C", build, "riad", cwd=place)


MAKEFILE = """\
objects := $(patsubst %.c,%.o,$(wildcard *.c))
program: libparts.a main.o ; gcc -o $@ main.o -L. -lparts
libparts.a: $(filter-out main.o,$(objects)) ; ar rc $@ $^
%.o: %.c ; gcc -MMD -c -o $@ $<
-include $(objects:.o=.d)
"""


@needs("make", "gcc", "ar")
def test_make(place, shared):
    for number in range(20):
        (place / f"header{number % 4}.h").write_text(f"#define FOUR {4 + number % 4 - number % 4}\n", encoding="utf-8")
        (place / f"part{number}.c").write_text(f'#include "header{number % 4}.h"\nint part{number}(void) {{ return {number} + FOUR; }}\n',
                                               encoding="utf-8")
    (place / "main.c").write_text("#include <stdio.h>\n" + "".join(f"int part{n}(void);\n" for n in range(20)) +
                                  "int main(void) { printf(\"%d\\n\", " + " + ".join(f"part{n}()" for n in range(20)) +
                                  "); return 0; }\n", encoding="utf-8")
    (place / "Makefile").write_text(MAKEFILE, encoding="utf-8")

    def made():
        return set(re.findall(r"-o (\S+)", run("make", "-j2", cwd=place)))

    assert len(made()) == 22
    assert run(place / "program", cwd=place) == "270\n"
    shared.remount()
    assert made() == set()
    (place / "header1.h").write_text("#define FOUR 5\n", encoding="utf-8")
    assert made() == {"program"} | {f"part{n}.o" for n in range(1, 20, 4)}
    assert run(place / "program", cwd=place) == "275\n"
    os.rename(place / "header1.h", place / "kept")
    os.rename(place / "kept", place / "header1.h")
    assert made() == set()


def test_executing(place, shared):
    """Programs, scripts and libraries run from the mount; a running program cannot be written."""
    program = place / "program"
    shutil.copy("/bin/sleep", program)
    script = place / "script"
    script.write_text("#!/bin/sh\necho \"$0 $1\"\n", encoding="utf-8")
    with raises_errno(errno.EACCES):
        subprocess.run([script], check=False)
    script.chmod(0o755)
    assert run(script, "word", cwd="/") == f"{script} word\n"
    running = start(program, "60", cwd="/")
    try:
        assert os.readlink(f"/proc/{running.pid}/exe") == str(program)
        with raises_errno(errno.ETXTBSY):
            os.open(program, os.O_WRONLY)
        os.unlink(program)
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()
    (place / "library.c").write_text("int answer(void) { return 42; }\n", encoding="utf-8")
    run("gcc", "-shared", "-fPIC", "-o", place / "library.so", place / "library.c", cwd=place)
    library = "import ctypes, sys; sys.exit(ctypes.CDLL(sys.argv[1]).answer())"
    run(sys.executable, "-c", library, place / "library.so", cwd="/", code=42)
    shared.remount("-o", "noexec")
    with raises_errno(errno.EACCES):
        subprocess.run([script], check=False)
    shared.remount()
    assert run(script, "word", cwd="/") == f"{script} word\n"


def npm_package(path, name, files, **more):
    """A package as `npm pack` makes them, made quicker."""
    contents = {"package.json": json.dumps({"name": name, "version": "1.0.0", "main": "lib/file0.js", **more}),
                "cli.js": f"#!/usr/bin/env node\nconsole.log('{name}')\n"}
    contents |= {f"lib/{'deep/' * (number % 4)}file{number}.js": f"module.exports = '{name} {number}'\n" * (number % 9 + 1)
                 for number in range(files)}
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for inner, text in contents.items():
            info = tarfile.TarInfo(f"package/{inner}")
            info.size, info.mode = len(text), 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
    return {f"node_modules/{name}/{inner}": text for inner, text in contents.items()}


@needs("npm", "node")
def test_npm(place, shared):
    """Installs a tree of thousands of files from packages made here, twice; its cache is on the mount too."""
    expected, packages, project = {}, place / "packages", place / "project"
    packages.mkdir()
    project.mkdir()
    for number in range(40):
        expected |= npm_package(packages / f"p{number}.tgz", f"package{number}", 80, bin={f"command{number}": "cli.js"})
    (project / "package.json").write_text(json.dumps({
        "name": "project", "version": "1.0.0", "dependencies": {f"package{n}": f"file:../packages/p{n}.tgz" for n in range(40)}}),
        encoding="utf-8")

    def npm(*arguments):
        return run("npm", *arguments, "--offline", "--no-audit", "--no-fund", "--cache", place / "cache", cwd=project)

    def check():
        found = {str(path.relative_to(project)): path for path in (project / "node_modules").glob("package*/**/*") if path.is_file()}
        assert found.keys() == expected.keys() and len(expected) > 3000
        assert all(found[name].read_text(encoding="utf-8") == text for name, text in expected.items())
        assert run(project / "node_modules" / ".bin" / "command7", cwd=project) == "package7\n"
        program = "for (let n = 0; n < 40; n++) console.log(require('package' + n))"
        assert run("node", "-e", program, cwd=project) == "".join(f"package{n} 0\n" for n in range(40))

    npm("install")
    check()
    shared.remount()
    check()
    npm("ls", "--all")
    npm("ci")
    check()
    npm("cache", "verify")


def test_venv(place, shared):
    """An environment of Python with pip; what is compiled is used again after a remount, until its source changes."""
    environment = place / "environment"
    run(sys.executable, "-m", "venv", environment, cwd=place)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "check", cwd=place)
    package = place / "package"
    package.mkdir()
    for number in range(100):
        (package / f"part{number}.py").write_text(f"value = {number}\n", encoding="utf-8")
    (package / "__init__.py").write_text("".join(f"from .part{n} import value as value{n}\n" for n in range(100)), encoding="utf-8")

    def compile_all():
        run(python, "-m", "compileall", "-q", "-j", "2", package, environment / "lib", cwd=place)
        return {path: path.stat().st_mtime_ns for path in place.glob("**/*.pyc")}

    first = compile_all()
    assert len(first) > 300
    shared.remount()
    assert compile_all() == first
    assert run(python, "-c", "import package, pip; print(package.value99, pip.__file__)", cwd=place).startswith(f"99 {environment}/")
    changed = package / "part99.py"
    changed.write_text("value = 'new and longer'\n", encoding="utf-8")
    os.utime(changed, (0, changed.stat().st_mtime + 2))  # Python compares seconds
    assert run(python, "-c", "import package; print(package.value99)", cwd=place) == "new and longer\n"
    assert [path.name.split(".")[0] for path, when in compile_all().items() if first[path] != when] == ["part99"]
