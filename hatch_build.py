"""Compile the C kernels into the wheel (or, for an editable install, into the tree).

Any C compiler will do: ``CC`` from the environment, then cc, gcc or clang on PATH. With
none of them, the build asks for ``ziglang``, a wheel that carries clang. On x86-64 the
kernels are compiled once per instruction set level and the library picks one when it is
first used, so one wheel runs everywhere and is fast where it can be.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = Path("src", "mixtura", "engines", "native")
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
FLAGS = [
    "-std=gnu11",
    "-O3",
    "-DNDEBUG",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-Wall",
    "-Wno-psabi",
]
# x86-64 levels, feature by feature: compilers before 2020 do not know -march=x86-64-v3.
V2 = ["-march=x86-64", "-mssse3", "-msse4.1", "-msse4.2", "-mpopcnt"]
V3 = [*V2, "-mavx", "-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2", "-mlzcnt", "-mmovbe"]
V4 = [*V3, *(f"-mavx512{part}" for part in ("f", "dq", "cd", "bw", "vl"))]
LEVELS = {"v2": V2, "v3": V3, "v4": [*V4, "-mprefer-vector-width=512"]}


def find_compiler() -> list[str] | None:
    """The command of a C compiler from the environment or PATH."""
    asked = shlex.split(os.environ.get("CC", ""))
    if asked and shutil.which(asked[0]):
        return asked
    for name in ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path:
            return [path]
    return None


def zig_compiler() -> list[str]:
    try:
        import ziglang  # noqa: F401
    except ImportError:
        raise RuntimeError(
            "mixtura needs a C compiler to build its kernels: set CC, or put cc, gcc or "
            "clang on PATH, or install the ziglang package"
        ) from None
    return [sys.executable, "-m", "ziglang", "cc"]


def is_x86_64() -> bool:
    # The interpreter's own target, which also covers cross builds of macOS wheels.
    target = os.environ.get("ARCHFLAGS", "") or sysconfig.get_platform()
    if "universal2" in target:
        target = platform.machine()
    return "x86_64" in target or "amd64" in target.lower()


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"compiling the mixtura kernels failed (exit status {done.returncode})\n"
            f"$ {shlex.join(command)}\n{done.stdout}{done.stderr}"
        )


def compile_library(source: Path, target: Path) -> None:
    """Compile the sources in one directory to one shared library."""
    compiler = find_compiler() or zig_compiler()
    zig = "ziglang" in compiler or Path(compiler[0]).stem == "zig"
    flags = list(FLAGS) if sys.platform == "win32" else [*FLAGS, "-fPIC"]
    x86 = is_x86_64()
    levels = LEVELS if x86 else {"plain": []}
    if zig:
        # zig aims at this very CPU and traps undefined behaviour unless told otherwise.
        flags += ["-fno-sanitize=undefined", *([] if x86 else ["-mcpu=baseline"])]
        levels = {name: [f"-march=x86_64_{name}"] for name in levels} if x86 else levels
    baseline = [f"-march={'x86_64' if zig else 'x86-64'}"]
    with tempfile.TemporaryDirectory() as scratch:
        jobs: list[list[str]] = []
        objects: list[str] = []

        def add(file: str, name: str, extra: list[str]) -> None:
            objects.append(str(Path(scratch, f"{name}.o")))
            jobs.append([*compiler, *flags, *extra, "-c", str(source / file), "-o", objects[-1]])

        for level, machine in levels.items():
            for file in ("variant", "single"):
                add(f"{file}.c", f"{file}_{level}", [*machine, f"-DMIXTURA_VARIANT={level}"])
        add("dispatch.c", "dispatch", [*baseline, "-DMIXTURA_X86"] if x86 else [])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(run, jobs))
        built = Path(scratch, f"library{SUFFIX}")
        link = [*compiler, "-shared", *objects, "-o", str(built)]
        if sys.platform != "win32":
            link.append("-lm")
        if sys.platform.startswith("linux"):
            link.append("-s")
        run(link)
        # Replace in one step: a process may have the old library mapped.
        fresh = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        shutil.copyfile(built, fresh)
        os.replace(fresh, target)


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled kernels, and tags the wheel for this platform only."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return [] if find_compiler() else ["ziglang"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        native = Path(self.root) / NATIVE
        library = native / f"_kernels{SUFFIX}"
        compile_library(native, library)
        tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{tag}"
        build_data["artifacts"].append(f"/{(NATIVE / library.name).as_posix()}")
