#!/usr/bin/env python3
"""Lists the operations on vectors that a program calls instead of having them in line.

A closure without `#[inline(always)]`, a function handed on by name (`map(x, math::exp)`), or an array's `map` and
`from_fn` in code that is used more than once become functions of their own, which are not compiled for the
instructions of the loop that calls them: every operation in them is a call, ten to forty times as slow, without a
warning. What this prints should be empty.

    cargo bench --no-run                       # names the programs
    tools/calls.py target/release/deps/softmax-HASH

Needs objdump.
"""

import collections
import re
import subprocess
import sys

FUNCTION = re.compile(r"^([0-9a-f]+) <(.*)>:$")
CALL = re.compile(r"(?:call|jmp)\s+([0-9a-f]+) <")
OPERATION = "__fearless_simd_kernel"


def callers(path):
    """The names of all functions by address, and the addresses of those that call each."""
    names, found, here = {}, collections.defaultdict(set), None
    command = ["objdump", "-d", "--no-show-raw-insn", "-C", path]
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        if function := FUNCTION.match(line):
            here = int(function[1], 16)
            names[here] = function[2]
        elif call := CALL.search(line):
            found[int(call[1], 16)].add(here)
    return names, found


def main():
    paths = sys.argv[1:]
    if not paths:
        sys.exit(__doc__)
    for path in paths:
        names, found = callers(path)
        lines = set()
        for address, name in names.items():
            if OPERATION in name:
                operation = name.split("::kernel")[0].split("::")[-1]
                lines |= {(names[caller], operation) for caller in found[address] if caller != address}
        for caller, operation in sorted(lines):
            print(f"{path}: {caller[:100]} calls {operation}")


if __name__ == "__main__":
    main()
