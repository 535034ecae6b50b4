"""The core as machine code: a copy of the package whose pure rooms Cython has compiled from the same sources, and with it
`deploy/native`, which does in C what touches every record: its batches, the ordinary event, the visit to a row; and what
outputs say.

Rule: the sources are the reference and the default. Nothing here changes what they say; the laws run over both
(`make test-compiled`). Needs a C compiler.

    python deploy/compiled.py build/compiled      then: PYTHONPATH=build/compiled kairos ...
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler.Errors import CompileError
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parents[1]
NATIVE = ROOT / "deploy" / "native"
WORKED = (
    "domain/days.py", "domain/events.py", "domain/facts.py", "domain/money.py", "domain/triggers.py",
    "wire/checks.py", "wire/decode.py", "wire/encode.py", "wire/instants.py",
    "features/*.py", "mechanisms/*.py", "policy/*.py", "engine/*.py", "shell/replay.py",
)  # fmt: skip
"""What works on every event; all else runs once, or waits for others most of the time."""
DIRECTIVES = {"language_level": 3, "annotation_typing": False, "binding": True}
"""Annotations stay what they are for Python: checked by mypy, not by the compiled code, which so behaves as the sources do."""
FLAGS = ["-O2", "-g0", "-ffp-contract=off"]


def modules(package: Path) -> list[Path]:
    """What is compiled."""
    found = sorted({path for pattern in WORKED for path in package.glob(pattern)})
    return [path for path in found if path.name not in ("__init__.py", "protocol.py")]


def build(where: Path) -> int:
    """Make the copy; how many modules were compiled. Raises CompileError, or an error of setuptools without a compiler."""
    shutil.rmtree(where, ignore_errors=True)
    package = where / "stream"
    shutil.copytree(ROOT / "stream", package, ignore=shutil.ignore_patterns("__pycache__"))
    for path in NATIVE.iterdir():
        shutil.copy(path, package)
    os.chdir(where)
    extensions = [
        Extension(
            ".".join(path.relative_to(where).with_suffix("").parts), [str(path.relative_to(where))], extra_compile_args=FLAGS
        )
        for path in [*modules(package), *package.glob("*.pyx")]
    ]
    with tempfile.TemporaryDirectory() as scratch:
        made = cythonize(
            extensions, build_dir=scratch, nthreads=os.cpu_count() or 1, compiler_directives=DIRECTIVES, quiet=True
        )
        command = build_ext(Distribution({"name": "kairos-compiled", "ext_modules": made}))
        command.inplace, command.parallel, command.build_temp = True, os.cpu_count(), scratch
        command.ensure_finalized()
        command.run()
    return len(extensions)


if __name__ == "__main__":
    try:
        print(f"{build(Path(sys.argv[1]).resolve())} modules compiled")
    except CompileError as error:
        sys.exit(f"not compiled: {error}")
