"""Measures ndarray-activations and its peers in one sitting, interleaved, and writes a table and a plot.

    ./setup.sh                                   once
    .venv/bin/python measure.py                  everything, one thread and two
    .venv/bin/python measure.py --threads 1 --rows elementwise --quick

Every row is a function, an element type and a size. All implementations of a row are prepared first and their answers
compared; then they are timed in turn, A B C A B C ..., for several rounds, and the median of the rounds is kept. The Rust
ones run in a server process that takes a line for each step; each timed piece is long against the cost of the clock.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROUNDS = 7
PIECE = 0.03

ELEMENTWISE = ["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "mish", "softplus", "elu"]
SOFTMAX = [
    ("65536x10", 1), ("65536x10", 0), ("4096x1000", 1), ("4096x1000", 0), ("1024x1024", 1), ("1024x1024", 0),
    ("64x131072", 1), ("64x131072", 0), ("96x512x512", 2), ("1x16777216", 1),
]


def rows(kind, quick):
    if kind in ("elementwise", "all"):
        for dtype in ("f32", "f64"):
            for size in (4096, 65536) if not quick else (65536,):
                for name in ELEMENTWISE:
                    yield "map", name, dtype, str(size), 0, "into"
        if not quick:
            for name in ELEMENTWISE:
                for form in ("into", "alloc"):
                    yield "map", name, "f32", str(1 << 24), 0, form
    if kind in ("softmax", "all"):
        for dtype in ("f32", "f64"):
            for shape, axis in SOFTMAX:
                if dtype == "f64" and shape not in ("1024x1024", "4096x1000", "65536x10"):
                    continue
                for name in ("softmax", "log_softmax"):
                    yield name, name, dtype, shape, axis, "into"


class Server:
    """The Rust side."""

    def __init__(self, threads):
        environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))
        binary = HERE / "target" / "release" / "peers"
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


class RustCase:
    def __init__(self, server, implementation, row, path):
        kind, name, dtype, shape, axis, form = row
        self.server = server
        answer = server.ask(f"prepare {implementation} {kind} {name} {dtype} {shape} {axis} {form} {path}")
        if answer != "ok":
            raise NotImplementedError(answer)

    def output(self):
        import numpy as np

        with tempfile.NamedTemporaryFile(suffix=".npy") as file:
            assert self.server.ask(f"output {file.name}") == "ok"
            return np.load(file.name)

    def seconds(self):
        return float(self.server.ask(f"run {PIECE}")) * 1e-9


class PythonCase:
    def __init__(self, call, output):
        self.call, self.output = call, output

    def seconds(self):
        self.call()
        begun = time.perf_counter()
        self.call()
        batch = max(1, int(0.001 / max(time.perf_counter() - begun, 1e-7)))
        times, started = [], time.perf_counter()
        while time.perf_counter() - started < PIECE or len(times) < 3:
            begun = time.perf_counter()
            for _ in range(batch):
                self.call()
            times.append((time.perf_counter() - begun) / batch)
        return sorted(times)[len(times) // 2]


def torch_case(row, x, threads):
    import torch

    torch.set_num_threads(threads)
    kind, name, _, _, axis, form = row
    t = torch.from_numpy(x)
    aten = torch.ops.aten
    if kind == "map":
        into = {
            "relu": lambda y: torch.clamp(t, min=0, out=y), "leaky_relu": lambda y: aten.leaky_relu.out(t, 0.01, out=y),
            "sigmoid": lambda y: torch.sigmoid(t, out=y), "tanh": lambda y: torch.tanh(t, out=y),
            "gelu": lambda y: aten.gelu.out(t, out=y), "gelu_tanh": lambda y: aten.gelu.out(t, approximate="tanh", out=y),
            "silu": lambda y: aten.silu.out(t, out=y), "mish": lambda y: aten.mish.out(t, out=y),
            "softplus": lambda y: aten.softplus.out(t, out=y), "elu": lambda y: aten.elu.out(t, out=y),
        }[name]
    elif kind == "softmax":
        into = lambda y: torch.softmax(t, axis, out=y)
    else:
        into = lambda y: torch.log_softmax(t, axis, out=y)
    y = torch.empty_like(t)
    if form == "alloc":
        return PythonCase(lambda: into(torch.empty_like(t)), lambda: into(y).numpy())
    return PythonCase(lambda: into(y), lambda: into(y).numpy())


def jax_case(row, x, threads):
    import jax

    jax.config.update("jax_enable_x64", True)
    kind, name, _, _, axis, _ = row
    functions = {
        "relu": jax.nn.relu, "leaky_relu": jax.nn.leaky_relu, "sigmoid": jax.nn.sigmoid, "tanh": jax.numpy.tanh,
        "gelu": lambda v: jax.nn.gelu(v, approximate=False), "gelu_tanh": jax.nn.gelu, "silu": jax.nn.silu,
        "mish": jax.nn.mish, "softplus": jax.nn.softplus, "elu": jax.nn.elu,
        "softmax": lambda v: jax.nn.softmax(v, axis), "log_softmax": lambda v: jax.nn.log_softmax(v, axis),
    }
    f = jax.jit(functions[name])
    v = jax.device_put(x)
    return PythonCase(lambda: f(v).block_until_ready(), lambda: __import__("numpy").asarray(f(v)))


def tensorflow_case(row, x, threads):
    import tensorflow as tf

    kind, name, _, _, axis, _ = row
    functions = {
        "relu": tf.nn.relu, "leaky_relu": lambda v: tf.nn.leaky_relu(v, 0.01), "sigmoid": tf.sigmoid, "tanh": tf.tanh,
        "gelu": lambda v: tf.nn.gelu(v, approximate=False), "gelu_tanh": lambda v: tf.nn.gelu(v, approximate=True),
        "silu": tf.nn.silu, "softplus": tf.nn.softplus, "elu": tf.nn.elu,
        "mish": lambda v: v * tf.tanh(tf.nn.softplus(v)),
        "softmax": lambda v: tf.nn.softmax(v, axis), "log_softmax": lambda v: tf.nn.log_softmax(v, axis),
    }
    f, v = tf.function(functions[name]), tf.constant(x)
    return PythonCase(lambda: f(v), lambda: f(v).numpy())


def onnxruntime_case(row, x, threads):
    import numpy as np
    import onnx
    import onnxruntime as ort

    kind, name, dtype, _, axis, _ = row
    operators = {
        "relu": ("Relu", {}), "leaky_relu": ("LeakyRelu", {"alpha": 0.01}), "sigmoid": ("Sigmoid", {}), "tanh": ("Tanh", {}),
        "gelu": ("Gelu", {}), "gelu_tanh": ("Gelu", {"approximate": "tanh"}), "mish": ("Mish", {}), "softplus": ("Softplus", {}),
        "elu": ("Elu", {}), "softmax": ("Softmax", {"axis": axis}), "log_softmax": ("LogSoftmax", {"axis": axis}),
    }
    element = onnx.TensorProto.FLOAT if dtype == "f32" else onnx.TensorProto.DOUBLE
    value = lambda label: onnx.helper.make_tensor_value_info(label, element, list(x.shape))
    if name == "silu":
        nodes = [onnx.helper.make_node("Sigmoid", ["x"], ["s"]), onnx.helper.make_node("Mul", ["x", "s"], ["y"])]
    else:
        operator, attributes = operators[name]
        nodes = [onnx.helper.make_node(operator, ["x"], ["y"], **attributes)]
    graph = onnx.helper.make_graph(nodes, "row", [value("x")], [value("y")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    y = np.empty_like(x)
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, x.dtype, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, y.dtype, y.shape, y.ctypes.data)
    case = PythonCase(lambda: session.run_with_iobinding(binding), lambda: (session.run_with_iobinding(binding), y)[1])
    case.keep = (x, y)
    return case


def numpy_case(row, x, threads):
    import numpy as np
    import scipy.special as sp

    kind, name, _, _, axis, form = row
    y = np.empty_like(x)
    functions = {
        "relu": lambda out: np.maximum(x, 0, out=out), "tanh": lambda out: np.tanh(x, out=out),
        "sigmoid": lambda out: sp.expit(x, out=out), "softplus": lambda out: np.logaddexp(x, x.dtype.type(0), out=out),
        "softmax": lambda out: sp.softmax(x, axis), "log_softmax": lambda out: sp.log_softmax(x, axis),
        "silu": lambda out: np.multiply(x, sp.expit(x, out=out), out=out),
    }
    if name not in functions:
        raise NotImplementedError(name)
    f = functions[name]
    out = y if form == "into" else None
    if form != "into" and name == "silu":
        raise NotImplementedError(name)
    return PythonCase(lambda: f(out), lambda: f(out))


PYTHON = {"torch": torch_case, "jax": jax_case, "tensorflow": tensorflow_case, "onnxruntime": onnxruntime_case, "numpy": numpy_case}
RUST = ["ours", "rten", "candle", "naive"]


def measure_row(row, threads, names, folder):
    """Returns {implementation: nanoseconds per element}."""
    import numpy as np

    kind, name, dtype, shape, axis, form = row
    shape = tuple(int(n) for n in shape.split("x"))
    generator = np.random.default_rng(7)
    x = (generator.standard_normal(shape) * 3).astype(np.float32 if dtype == "f32" else np.float64)
    path = Path(folder) / "x.npy"
    np.save(path, x)
    cases, answers = {}, {}
    for label in names:
        try:
            if label in RUST:
                case = RustCase(SERVERS.setdefault(label, Server(threads)), label, row, path)
            else:
                case = PYTHON[label](row, x, threads)
            answers[label] = np.asarray(case.output()).astype(np.float64)
            cases[label] = case
        except (NotImplementedError, KeyError) as why:
            if label == "ours":
                sys.exit(f"ours cannot do {row}: {why}")
        except Exception as why:  # a peer that lacks a kernel for the row is left out of it, and said so
            print(f"  {label} left out of {row}: {str(why).splitlines()[0][:100]}", file=sys.stderr)
    ours = answers["ours"]
    for label, answer in answers.items():
        # Loose peers are loose on purpose: 1e-3 tells a wrong function from a loose one.
        worst = np.max(np.abs(answer.reshape(ours.shape) - ours) / (np.abs(ours) + 1e-2))
        if worst > 1e-3:
            print(f"  {label} disagrees on {row}: {worst:.1e}", file=sys.stderr)
    answers.clear()
    times = {label: [] for label in cases}
    for _ in range(ROUNDS):
        for label, case in cases.items():
            times[label].append(case.seconds())
    return {label: sorted(t)[len(t) // 2] * 1e9 / math.prod(shape) for label, t in times.items()}


SERVERS = {}


def worker(threads, kind, quick, out, names):
    """One process for each number of threads, since some peers fix it at their start."""
    from tqdm import tqdm

    results = []
    todo = list(rows(kind, quick))
    with tempfile.TemporaryDirectory() as folder:
        for row in tqdm(todo, desc=f"{threads} thread{'s' * (threads > 1)}", file=sys.stderr):
            results.append({"row": row, "threads": threads, "ns": measure_row(row, threads, names, folder)})
            Path(out).write_text(json.dumps(results))


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def table(results, names):
    lines = [f"Measured on {time.strftime('%Y-%m-%d')}, {processor()}, {os.cpu_count()} cores. Nanoseconds per element, medians of {ROUNDS} interleaved rounds.", ""]
    for threads in sorted({r["threads"] for r in results}):
        lines += [f"### {threads} thread{'s' * (threads > 1)}", "", "| row | " + " | ".join(names) + " | best peer / ours |", "|---" * (len(names) + 2) + "|"]
        ratios = []
        for r in results:
            if r["threads"] != threads:
                continue
            kind, name, dtype, shape, axis, form = r["row"]
            label = f"{name} {dtype} {shape}" + (f" axis {axis}" if kind != "map" else "") + (" allocating" if form == "alloc" else "")
            ns = r["ns"]
            best = min(v for k, v in ns.items() if k != "ours") if len(ns) > 1 else float("nan")
            ratios.append(best / ns["ours"])
            lines.append(f"| {label} | " + " | ".join(f"{ns[k]:.3g}" if k in ns else "-" for k in names) + f" | {ratios[-1]:.2f} |")
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        lines += ["", f"Geometric mean of the last column: {mean:.2f}; rows behind: {sum(v < 1 for v in ratios)} of {len(ratios)}.", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, action="append", help="1 and 2 by default")
    parser.add_argument("--rows", choices=["elementwise", "softmax", "all"], default="all")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", help="comma-separated; all by default")
    parser.add_argument("--out", default=str(HERE / "results.md"))
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = ["ours"] + [n for n in (arguments.peers.split(",") if arguments.peers else [*PYTHON, *RUST[1:]]) if n != "ours"]
    if arguments.worker:
        threads, out = arguments.worker
        return worker(int(threads), arguments.rows, arguments.quick, out, names)
    results = []
    for threads in arguments.threads or [1, 2]:
        environment = dict(
            os.environ, OMP_NUM_THREADS=str(threads), TF_NUM_INTRAOP_THREADS=str(threads), TF_NUM_INTEROP_THREADS="1",
            TF_CPP_MIN_LOG_LEVEL="3", JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="",
        )
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            command = [sys.executable, __file__, "--rows", arguments.rows, "--peers", ",".join(names), "--worker", str(threads), file.name]
            command += ["--quick"] if arguments.quick else []
            if hasattr(os, "sched_setaffinity"):
                # Some peers size their pools by the processors that they see.
                allowed = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
                command = ["taskset", "-c", allowed, *command]
            subprocess.run(command, env=environment, check=True)
            results += json.loads(Path(file.name).read_text())
    text = table(results, names)
    Path(arguments.out).write_text(text + "\n")
    Path(arguments.out).with_suffix(".json").write_text(json.dumps(results, indent=1))
    print(text)


if __name__ == "__main__":
    main()
