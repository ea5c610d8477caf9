"""Make the wire stubs: ``python proto/generate.py [PROTOS [OUTPUT]]``; by default from ``proto`` into ``engine``.

Needs grpcio-tools and mypy-protobuf, which the dependency group ``lint`` holds.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent


def main(protos: Path = HERE, output: Path = HERE.parent / "engine") -> int:
    """Run the compiler over every ``.proto``; returns its exit code."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    files = sorted(str(file) for file in protos.rglob("*.proto"))
    kinds = ("python", "grpc_python", "mypy", "mypy_grpc")
    return int(protoc.main(["protoc", f"-I{protos}", *(f"--{kind}_out={output}" for kind in kinds), *files]))


if __name__ == "__main__":
    sys.exit(main(*(Path(argument).resolve() for argument in sys.argv[1:])))
