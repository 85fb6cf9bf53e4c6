"""Measures ndarray-activations and its peers in one sitting, interleaved, and writes tables and a plot.

    ./setup.sh                                   once
    .venv/bin/python measure.py                  everything, one thread and two; about 20 minutes
    .venv/bin/python measure.py --docs           the same, written to docs/PERFORMANCE.md and the README
    .venv/bin/python measure.py --quick          a few rows, to see that all of it works
    .venv/bin/python measure.py --resume         goes on where the last run was stopped

A row is a function, an element type, a shape and a form: `into` a ready buffer, `inplace`, or `alloc`ating. A library that
has no such form is measured in the nearest one that it has (jax and tensorflow always make new arrays). All implementations of
a row are prepared first and their answers compared; then they are timed in turn, A B C, C B A, A B C ..., and the median of
the rounds is kept. The Rust ones run in server processes that take a line for each step; each timed piece is long against
the cost of the clock. A piece on several threads begins when the threads of the peer before have stopped spinning, with as much again that is
not counted, in which the system gives each thread a core of its own.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROUNDS = 7
PIECE = 0.012
ROW_SECONDS = 2.0
QUIET = 0.005

ELEMENTWISE = ["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "mish", "softplus", "elu"]
SOFTMAX = [
    ("65536x10", 1), ("65536x10", 0), ("4096x1000", 1), ("4096x1000", 0), ("1024x1024", 1), ("1024x1024", 0),
    ("64x131072", 1), ("64x131072", 0), ("8x12x512x512", 3), ("1x16777216", 1), ("8x21x128x128", 1), ("64x256x14x14", 1),
    ("32x128x28x28", 1),
]
DOUBLE_SOFTMAX = ("65536x10", "4096x1000", "1024x1024")
PYTHON = ["torch", "jax", "tensorflow", "onnxruntime", "numpy"]
# Our builds, with the features of each: the usual one, and two for new arrays.
OURS = {"ours": [], "huge": ["huge-pages"], "pooled": ["pooled"]}
RUST = [*OURS, "rten", "candle", "naive", "copy"]
TINY = ["ours", "naive", "torch", "numpy"]
CURVE = ["ours", "torch", "jax", "onnxruntime", "rten", "copy"]
LABELS = {4096: "4 Ki", 65536: "64 Ki", 1 << 24: "16 Mi"}
FORMS = {"into": "into a buffer", "inplace": "in place", "alloc": "allocating"}


@dataclass
class Row:
    group: str
    kind: str
    name: str
    dtype: str
    shape: str
    axis: int = 0
    form: str = "into"
    only: list = None
    layers: list = field(default=None, repr=False)

    def key(self):
        return f"{self.group}/{self.name} {self.dtype} {self.shape} {self.axis} {self.form}"

    def lengths(self):
        return tuple(int(n) for n in self.shape.split("x"))


def rows(threads, quick):
    """All rows for a number of threads; small arrays are the same on any number."""
    sizes = {4096: ["into"], 65536: ["into"], 1 << 24: ["into", "inplace", "alloc"]}
    for dtype in ("f32", "f64"):
        for size, forms in sizes.items():
            if (size == 4096 and threads > 1) or (quick and size != 65536):
                continue
            for form in forms:
                group = f"Element-wise, {dtype}, {LABELS[size]}, {FORMS[form]}"
                for name in ELEMENTWISE[2:4] if quick else ELEMENTWISE:
                    yield Row(group, "map", name, dtype, str(size), 0, form)
    for dtype in ("f32", "f64"):
        for kind in ("softmax", "log_softmax"):
            for shape, axis in SOFTMAX[2:3] if quick else SOFTMAX:
                if dtype == "f32" or shape in DOUBLE_SOFTMAX:
                    yield Row(f"{kind}, {dtype}", kind, kind, dtype, shape, axis)
    for batch in (1, 32) if quick else (1, 32, 256, 4096):
        yield Row("Networks, f32", "forward", "relu", "f32", "784x512x256x10", batch)
    if not quick:
        yield Row("Networks, f32", "forward", "gelu", "f32", "4096x4096", 256)
    if threads == 1:
        for name in ("relu", "sigmoid"):
            for size in (4, 64) if quick else (1, 2, 4, 8, 16, 32, 64):
                yield Row("Tiny arrays, f32, allocating, nanoseconds a call", "map", name, "f32", str(size), 0, "alloc", TINY)
    if not quick:
        for name in ("relu", "sigmoid", "gelu"):
            for power in (6, 9, 15, 18, 20, 22):
                yield Row("Curve", "map", name, "f32", str(1 << power), 0, "into", CURVE)


def settle():
    """Waits until no thread of this process works. After a call those of torch spin for 5 ms, those of onnxruntime for 25 and
    those of numpy's OpenBLAS for 90: whoever came next would have one core less."""
    quiet, begun = 0, time.perf_counter()
    while quiet < 2 and time.perf_counter() - begun < 0.5:
        cpu, started = time.process_time(), time.perf_counter()
        time.sleep(QUIET)
        busy = (time.process_time() - cpu) / (time.perf_counter() - started)
        quiet = quiet + 1 if busy < 0.1 else 0


def target(label):
    """Where the server of an implementation is built."""
    folder = Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target"))
    return folder / label if OURS.get(label) else folder


class Server:
    """A process of Rust code; one for each implementation, so that none warms another's pool or memory."""

    def __init__(self, threads, allocates, label):
        folder = target(label)
        environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))
        if not allocates:
            # NumPy asks for huge pages for its large arrays, which the Python peers read and write.
            environment["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
        self.process = subprocess.Popen(
            [folder / "release" / "peers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise RuntimeError(f"the server died of: {line}")
        return answer


class RustCase:
    def __init__(self, server, implementation, row, path):
        self.server, self.path = server, path
        answer = server.ask(f"prepare {implementation} {row.kind} {row.name} {row.dtype} {row.shape} {row.axis} {row.form} {path}")
        if answer != "ok":
            raise NotImplementedError(answer)

    def output(self):
        import numpy as np

        path = self.path.with_name("y.npy")
        assert self.server.ask(f"output {path}") == "ok"
        return np.load(path)

    def nanoseconds(self, seconds):
        return float(self.server.ask(f"run {seconds}"))


class Bench:
    """What stays from row to row of one process."""

    def __init__(self, threads, names, folder, rounds):
        import cases

        self.python, self.threads, self.names, self.folder = cases.PYTHON, threads, names, Path(folder)
        self.servers, self.input, self.rounds = {}, (None, None), rounds

    def prepare_input(self, row):
        """The same normally distributed numbers for every row of a shape."""
        import numpy as np

        about = (row.kind == "forward", row.dtype, row.shape, row.axis if row.kind == "forward" else 0)
        if self.input[0] != about:
            generator = np.random.default_rng(7)
            lengths = row.lengths()
            normal = lambda *shape: generator.standard_normal(shape, dtype=np.float32)
            if row.kind == "forward":
                x = normal(row.axis, lengths[0])
                layers = [(normal(n, m) * (2 / m) ** 0.5, normal(n) * 0.1) for m, n in zip(lengths, lengths[1:])]
                layers = [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]
                for index, (w, b) in enumerate(layers):
                    np.save(self.folder / f"w{index}.npy", w)
                    np.save(self.folder / f"b{index}.npy", b)
            else:
                x, layers = normal(*lengths) * np.float32(3), None
                x = x.astype(np.float32 if row.dtype == "f32" else np.float64)
            np.save(self.folder / "x.npy", x)
            self.input = (about, (x, layers))
        x, row.layers = self.input[1]
        return x

    def prepare(self, label, row, x):
        if label in RUST:
            if OURS.get(label) and (row.form != "alloc" or x.nbytes < 1 << 22):
                raise NotImplementedError("no new array, or a small one")
            key = (label, row.form == "alloc")
            if key not in self.servers:
                self.servers[key] = Server(self.threads, key[1], label)
            return RustCase(self.servers[key], "ours" if label in OURS else label, row, self.folder / "x.npy")
        return self.python[label](row, x, self.threads)

    def measure(self, row):
        """Nanoseconds of one call of each implementation, and what is to be said about the answers."""
        import numpy as np

        x = self.prepare_input(row)
        cases, answers, notes = {}, {}, []
        some = slice(None, None, max(1, x.size // 200_000))
        for label in self.names:
            if row.only and label not in row.only:
                continue
            try:
                case = self.prepare(label, row, x)
                answers[label] = np.asarray(case.output()).reshape(-1)[some].astype(np.float64)
                cases[label] = case
            except (NotImplementedError, KeyError) as why:
                if label == "ours":
                    sys.exit(f"ours cannot do {row}: {why}")
            except Exception as why:  # a peer that fails is left out of the row, and it is said so
                if "NOT_IMPLEMENTED" in str(why):
                    continue
                notes.append(f"{label} failed: {str(why).splitlines()[0][:80]}")
        ours = answers["ours"]
        wrong = []
        for label, answer in answers.items():
            # Loose peers are loose on purpose: this tells a wrong function from a loose one.
            worst = np.max(np.abs(answer - ours) / (np.abs(ours) + 1e-2))
            if label != "copy" and not worst < 1e-3:
                wrong.append(label)
                notes.append(f"{label} differs by {worst:.0e}")
        if len(wrong) * 2 > len(answers):
            sys.exit(f"the answers of ours differ from most others: {row} {notes}")
        del answers
        times = {label: [] for label in cases}
        begun = time.perf_counter()
        for index in range(self.rounds):
            if index >= 3 and time.perf_counter() - begun > ROW_SECONDS:
                break
            for label in list(cases) if index % 2 == 0 else reversed(cases):
                if self.threads > 1:
                    settle()
                    cases[label].nanoseconds(PIECE)  # until the system has given each thread a core
                times[label].append(cases[label].nanoseconds(PIECE))
        return {label: sorted(t)[len(t) // 2] for label, t in times.items()}, notes


def worker(threads, quick, out, names, only, rounds):
    """One process for each number of threads, since some peers fix it at their start."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    from tqdm import tqdm

    done = {(r["threads"], r["key"]) for r in map(json.loads, Path(out).read_text().splitlines())}
    todo = [r for r in rows(threads, quick) if (threads, r.key()) not in done and (not only or only in r.group.lower())]
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder, open(out, "a") as file:
        bench = Bench(threads, names, folder, rounds)
        for row in tqdm(todo, desc=f"{threads} thread{'s' * (threads > 1)}", file=sys.stderr, mininterval=1, disable=not todo):
            ns, notes = bench.measure(row)
            about = {k: v for k, v in asdict(row).items() if k not in ("layers", "only")}
            result = {"threads": threads, "key": row.key(), **about, "elements": math.prod(row.lengths()), "ns": ns, "notes": notes}
            file.write(json.dumps(result) + "\n")
            file.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, action="append", help="1 and 2 by default")
    parser.add_argument("--rows", default="", help="only the groups whose title has this in it: softmax, networks, 16 mi ...")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="at most; 3 where a row takes long")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--docs", action="store_true", help="write to docs/ and to the README instead of results.md")
    parser.add_argument("--peers", help="comma-separated; all by default")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = ["ours"] + [n for n in (arguments.peers.split(",") if arguments.peers else [*PYTHON, *RUST[1:]]) if n != "ours"]
    if arguments.worker:
        threads, out = arguments.worker
        return worker(int(threads), arguments.quick, out, names, arguments.rows.lower(), arguments.rounds)
    for label, features in OURS.items():
        command = ["cargo", "build", "--release", "--quiet", "--target-dir", target(label), "--features", ",".join(features)]
        subprocess.run(command, cwd=HERE, check=True)
    out = HERE / "results.jsonl"
    if not (arguments.resume and out.exists()):
        out.write_text("")
    begun = time.time()
    for threads in arguments.threads or [1, 2]:
        environment = dict(
            os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads),
            TF_NUM_INTRAOP_THREADS=str(threads), TF_NUM_INTEROP_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", JAX_PLATFORMS="cpu",
            CUDA_VISIBLE_DEVICES="",
        )
        command = [sys.executable, __file__, "--rows", arguments.rows, "--peers", ",".join(names), "--rounds", str(arguments.rounds), "--worker", str(threads), str(out)]
        subprocess.run(command + ["--quick"] * arguments.quick, env=environment, check=True)
    import report

    results = [json.loads(line) for line in out.read_text().splitlines()]
    report.write(results, names, time.time() - begun, arguments.docs)


if __name__ == "__main__":
    main()
