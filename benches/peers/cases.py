"""The Python peers: each function prepares one row for one library and returns a Case.

A library that has no kernel for a row, or cannot write where the row asks it to, raises NotImplementedError.
"""

import time

import numpy as np


class Case:
    """A call to be timed, what its output is, and how to put an overwritten input back."""

    def __init__(self, call, output, reset=None, keep=None):
        self.call, self.output, self.reset, self.keep = call, output, reset, keep

    def nanoseconds(self, seconds):
        """The median of one call; batches are long against the cost of the clock."""
        clock, call, reset = time.perf_counter, self.call, self.reset or (lambda: None)
        begun = clock()
        call()
        once = clock() - begun
        reset()
        if once > 0.1:
            return once * 1e9
        if once < 0.02:
            begun = clock()
            call()
            once = clock() - begun
            reset()
        batch = max(1, int(2e-4 / max(once, 2e-8)))
        times, started = [], clock()
        while clock() - started < seconds or not times:
            begun = clock()
            for _ in range(batch):
                call()
            times.append((clock() - begun) / batch)
            reset()
        return sorted(times)[len(times) // 2] * 1e9


def by_form(form, x, into, inplace, alloc, numpy=lambda y: y, empty=np.empty_like, copy=lambda to, x: np.copyto(to, x)):
    """The case of a library that can write into a buffer; `None` stands for what it cannot do."""
    if form == "into" and into:
        y = empty(x)
        return Case(lambda: into(y), lambda: (into(y), numpy(y))[1], keep=x)
    if form == "inplace" and inplace:
        y = empty(x)
        reset = lambda: copy(y, x)
        reset()
        return Case(lambda: inplace(y), lambda: (reset(), inplace(y), numpy(y).copy(), reset())[2], reset, keep=x)
    if form == "alloc" and alloc:
        return Case(alloc, lambda: numpy(alloc()), keep=x)
    raise NotImplementedError(form)


def torch_case(row, x, threads):
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    name, axis, form = row.name, row.axis, row.form
    t = torch.from_numpy(x)
    if row.kind == "forward":
        layers = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in row.layers]
        f = {"relu": torch.relu_, "gelu": torch.nn.functional.gelu}[name]

        def forward():
            y = t
            for index, (w, b) in enumerate(layers):
                y = torch.nn.functional.linear(y, w, b)
                if index + 1 < len(layers) or len(layers) == 1:
                    y = f(y)
            return y

        return Case(forward, lambda: forward().numpy())
    aten, nn = torch.ops.aten, torch.nn.functional
    if row.kind == "map":
        into = {
            "relu": lambda y: torch.clamp(t, min=0, out=y), "leaky_relu": lambda y: aten.leaky_relu.out(t, 0.01, out=y),
            "sigmoid": lambda y: torch.sigmoid(t, out=y), "tanh": lambda y: torch.tanh(t, out=y),
            "gelu": lambda y: aten.gelu.out(t, out=y), "gelu_tanh": lambda y: aten.gelu.out(t, approximate="tanh", out=y),
            "silu": lambda y: aten.silu.out(t, out=y), "mish": lambda y: aten.mish.out(t, out=y),
            "softplus": lambda y: aten.softplus.out(t, out=y), "elu": lambda y: aten.elu.out(t, out=y),
        }[name]
        inplace = {
            "relu": torch.relu_, "leaky_relu": lambda y: nn.leaky_relu_(y, 0.01), "sigmoid": torch.sigmoid_, "tanh": torch.tanh_,
            "gelu": lambda y: aten.gelu.out(y, out=y), "gelu_tanh": lambda y: aten.gelu.out(y, approximate="tanh", out=y),
            "silu": lambda y: nn.silu(y, inplace=True), "mish": lambda y: nn.mish(y, inplace=True),
            "softplus": lambda y: aten.softplus.out(y, out=y), "elu": lambda y: nn.elu_(y),
        }[name]
        alloc = {
            "relu": lambda: torch.relu(t), "leaky_relu": lambda: nn.leaky_relu(t, 0.01), "sigmoid": lambda: torch.sigmoid(t),
            "tanh": lambda: torch.tanh(t), "gelu": lambda: nn.gelu(t), "gelu_tanh": lambda: nn.gelu(t, approximate="tanh"),
            "silu": lambda: nn.silu(t), "mish": lambda: nn.mish(t), "softplus": lambda: nn.softplus(t), "elu": lambda: nn.elu(t),
        }[name]
    else:
        f = torch.softmax if row.kind == "softmax" else torch.log_softmax
        into, inplace, alloc = lambda y: f(t, axis, out=y), None, lambda: f(t, axis)
    return by_form(form, t, into, inplace, alloc, lambda y: y.numpy(), torch.empty_like, lambda to, x: to.copy_(x))


def jax_case(row, x, threads):
    import jax

    if row.form == "inplace":
        raise NotImplementedError("arrays are not overwritten")
    jax.config.update("jax_enable_x64", True)
    axis = row.axis
    functions = {
        "relu": jax.nn.relu, "leaky_relu": jax.nn.leaky_relu, "sigmoid": jax.nn.sigmoid, "tanh": jax.numpy.tanh,
        "gelu": lambda v: jax.nn.gelu(v, approximate=False), "gelu_tanh": jax.nn.gelu, "silu": jax.nn.silu,
        "mish": jax.nn.mish, "softplus": jax.nn.softplus, "elu": jax.nn.elu,
        "softmax": lambda v: jax.nn.softmax(v, axis), "log_softmax": lambda v: jax.nn.log_softmax(v, axis),
    }
    v = jax.device_put(x)
    if row.kind == "forward":
        layers = [(jax.device_put(w), jax.device_put(b)) for w, b in row.layers]

        def forward(v, layers):
            for index, (w, b) in enumerate(layers):
                v = v @ w.T + b
                if index + 1 < len(layers) or len(layers) == 1:
                    v = functions[row.name](v)
            return v

        f = jax.jit(forward)
        return Case(lambda: f(v, layers).block_until_ready(), lambda: np.asarray(f(v, layers)))
    f = jax.jit(functions[row.name])
    return Case(lambda: f(v).block_until_ready(), lambda: np.asarray(f(v)))


def tensorflow_case(row, x, threads):
    import tensorflow as tf

    if row.form == "inplace":
        raise NotImplementedError("tensors are not overwritten")
    axis = row.axis
    functions = {
        "relu": tf.nn.relu, "leaky_relu": lambda v: tf.nn.leaky_relu(v, 0.01), "sigmoid": tf.sigmoid, "tanh": tf.tanh,
        "gelu": lambda v: tf.nn.gelu(v, approximate=False), "gelu_tanh": lambda v: tf.nn.gelu(v, approximate=True),
        "silu": tf.nn.silu, "softplus": tf.nn.softplus, "elu": tf.nn.elu, "mish": lambda v: v * tf.tanh(tf.nn.softplus(v)),
        "softmax": lambda v: tf.nn.softmax(v, axis), "log_softmax": lambda v: tf.nn.log_softmax(v, axis),
    }
    v = tf.constant(x)
    if row.kind == "forward":
        layers = [(tf.constant(np.ascontiguousarray(w.T)), tf.constant(b)) for w, b in row.layers]

        def forward(v):
            for index, (w, b) in enumerate(layers):
                v = tf.nn.bias_add(tf.matmul(v, w), b)
                if index + 1 < len(layers) or len(layers) == 1:
                    v = functions[row.name](v)
            return v

        f = tf.function(forward, autograph=False)
    else:
        # A graph of one operation only adds the change to another thread.
        f = functions[row.name]
    return Case(lambda: f(v), lambda: f(v).numpy())


def onnx_nodes(row):
    """The nodes of the graph and its constants."""
    from onnx import helper, numpy_helper

    operators = {
        "relu": ("Relu", {}), "leaky_relu": ("LeakyRelu", {"alpha": 0.01}), "sigmoid": ("Sigmoid", {}), "tanh": ("Tanh", {}),
        "gelu": ("Gelu", {}), "gelu_tanh": ("Gelu", {"approximate": "tanh"}), "mish": ("Mish", {}), "softplus": ("Softplus", {}),
        "elu": ("Elu", {}), "softmax": ("Softmax", {"axis": row.axis}), "log_softmax": ("LogSoftmax", {"axis": row.axis}),
    }
    if row.kind == "forward":
        nodes, constants, last = [], [], "x"
        operator, attributes = operators[row.name]
        for index, (w, b) in enumerate(row.layers):
            constants += [numpy_helper.from_array(w, f"w{index}"), numpy_helper.from_array(b, f"b{index}")]
            end = index + 1 == len(row.layers)
            active = not end or len(row.layers) == 1
            out = "y" if end and not active else f"h{index}"
            nodes.append(helper.make_node("Gemm", [last, f"w{index}", f"b{index}"], [out], transB=1))
            if active:
                nodes.append(helper.make_node(operator, [out], ["y" if end else f"a{index}"], **attributes))
                last = f"a{index}"
        return nodes, constants
    if row.name == "silu":
        return [helper.make_node("Sigmoid", ["x"], ["s"]), helper.make_node("Mul", ["x", "s"], ["y"])], []
    operator, attributes = operators[row.name]
    return [helper.make_node(operator, ["x"], ["y"], **attributes)], []


def onnxruntime_case(row, x, threads):
    import onnx
    import onnxruntime as ort

    if row.form == "inplace":
        raise NotImplementedError("inputs are not overwritten")
    element = onnx.TensorProto.FLOAT if row.dtype == "f32" else onnx.TensorProto.DOUBLE
    value = lambda label, shape: onnx.helper.make_tensor_value_info(label, element, list(shape))
    nodes, constants = onnx_nodes(row)
    out = x.shape if row.kind != "forward" else (x.shape[0], row.layers[-1][0].shape[0])
    graph = onnx.helper.make_graph(nodes, "row", [value("x", x.shape)], [value("y", out)], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, x.dtype, x.shape, x.ctypes.data)
    if row.form == "alloc":
        binding.bind_output("y", "cpu")
        call = lambda: session.run_with_iobinding(binding)
        return Case(call, lambda: (call(), binding.copy_outputs_to_cpu()[0])[1], keep=x)
    y = np.empty(out, x.dtype)
    binding.bind_output("y", "cpu", 0, y.dtype, y.shape, y.ctypes.data)
    call = lambda: session.run_with_iobinding(binding)
    return Case(call, lambda: (call(), y)[1], keep=(x, y))


def numpy_case(row, x, threads):
    import scipy.special as sp

    axis = row.axis
    if row.kind == "forward":
        if row.name != "relu":
            raise NotImplementedError(row.name)

        def forward():
            y = x
            for index, (w, b) in enumerate(row.layers):
                y = y @ w.T
                y += b
                if index + 1 < len(row.layers):
                    np.maximum(y, 0, out=y)
            return y

        return Case(forward, forward)
    if row.kind != "map":
        f = sp.softmax if row.kind == "softmax" else sp.log_softmax
        return Case(lambda: f(x, axis), lambda: f(x, axis))
    zero = x.dtype.type(0)
    functions = {
        "relu": lambda v, out: np.maximum(v, zero, out=out), "tanh": lambda v, out: np.tanh(v, out=out),
        "sigmoid": lambda v, out: sp.expit(v, out=out), "softplus": lambda v, out: np.logaddexp(v, zero, out=out),
    }
    if row.name not in functions:
        raise NotImplementedError(row.name)
    f = functions[row.name]
    return by_form(row.form, x, lambda y: f(x, y), lambda y: f(y, y), lambda: f(x, None))


PYTHON = {"torch": torch_case, "jax": jax_case, "tensorflow": tensorflow_case, "onnxruntime": onnxruntime_case, "numpy": numpy_case}
