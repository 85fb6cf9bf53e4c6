//! Products, layers and networks.

mod text;

use ndarray::{Array1, Array2, ArrayRef2, Axis, ShapeBuilder, array, s};
use ndarray_activations::forward::{Layer, Linear, Sequential, Weights, Workspace};
use ndarray_activations::{Activation, Affine, Element, Level, prelude::*, with_level};

/// Numbers without a pattern, in -1..1.
fn noise<A: Element>(rows: usize, columns: usize, seed: u64) -> Array2<A> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        let mut bits = seed ^ ((i as u64) << 32) ^ j as u64;
        for _ in 0..3 {
            bits = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bits ^= bits >> 29;
        }
        A::from_f64((bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    })
}

fn layer<A: Element>(inputs: usize, outputs: usize, seed: u64) -> Linear<A> {
    let bias = noise(1, outputs, seed + 1).row(0).to_owned();
    Linear::new(noise(outputs, inputs, seed), bias).unwrap()
}

/// The order of summation that the documentation of `Affine` promises, with scalars.
fn promised<A: Element>(x: &ArrayRef2<A>, weight: &Array2<A>, bias: &Array1<A>) -> Array2<A> {
    Array2::from_shape_fn((x.nrows(), weight.nrows()), |(row, output)| {
        let mut sum = bias[output];
        let steps: Vec<usize> = (0..x.ncols()).collect();
        for block in steps.chunks(256) {
            let mut part = A::zero();
            for &k in block {
                part = weight[[output, k]].mul_add(x[[row, k]], part);
            }
            sum += part;
        }
        sum
    })
}

fn assert_bits<A: Element>(got: &ArrayRef2<A>, expected: &ArrayRef2<A>, what: &str) {
    assert_eq!(got.shape(), expected.shape(), "{what}");
    for ((index, &a), &b) in got.indexed_iter().zip(expected) {
        let same = a.to_f64().to_bits() == b.to_f64().to_bits();
        assert!(same, "{what} at {index:?}: {a} is not {b}");
    }
}

fn product_keeps_its_promise<A: Element>() {
    for (batch, inputs, outputs) in [
        (1, 1, 1),
        (1, 64, 10),
        (1, 300, 100),
        (1, 513, 65),
        (2, 40, 33),
        (3, 257, 17),
        (5, 7, 8),
        (6, 256, 16),
        (13, 600, 31),
        (50, 70, 48),
        (97, 260, 9),
    ] {
        let (x, weight) = (noise::<A>(batch, inputs, 1), noise::<A>(outputs, inputs, 2));
        let bias = noise(1, outputs, 3).row(0).to_owned();
        let map = Affine::new(&weight, &bias);
        let what = format!("{} {batch} x {inputs} x {outputs}", A::NAME);
        assert_bits(&map.map(&x), &promised(&x, &weight, &bias), &what);
        assert_bits(&map.clone().map(&x), &promised(&x, &weight, &bias), &what);
        assert_bits(&map.weight(), &weight, &what);
        assert_eq!(map.bias(), bias);
    }
}

#[test]
fn a_product_is_summed_in_the_documented_order() {
    product_keeps_its_promise::<f32>();
    product_keeps_its_promise::<f64>();
}

#[test]
fn a_product_has_the_same_bits_on_every_level() {
    let (x, map) = (noise::<f32>(7, 300, 5), layer::<f32>(300, 37, 6));
    let best = map.forward(&x).unwrap();
    for level in Level::available() {
        let got = with_level(level, || map.forward(&x).unwrap());
        assert_bits(&got, &best, &format!("{level:?}"));
    }
}

#[test]
fn every_rest_of_rows_and_columns_is_multiplied_once_on_every_level() {
    for outputs in [16, 31, 48, 63, 64, 80, 111, 112, 130, 193] {
        let (weight, bias) = (noise::<f32>(outputs, 9, 2), noise(1, outputs, 3).row(0).to_owned());
        let map = Affine::new(&weight, &bias);
        for batch in (2..=25).chain([96, 97, 100, 191, 192, 193, 196, 203]) {
            let x = noise::<f32>(batch, 9, 1);
            let expected = promised(&x, &weight, &bias);
            for level in [Level::Avx2, Level::best()] {
                if Level::available().contains(&level) {
                    let what = format!("{level:?}, {batch} x 9 x {outputs}");
                    assert_bits(&with_level(level, || map.map(&x)), &expected, &what);
                }
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_any_batch() {
    let net = Sequential::new().push(layer::<f32>(300, 70, 1)).push(Tanh).push(layer(70, 10, 2));
    let x = noise::<f32>(130, 300, 3);
    let all = net.forward(&x).unwrap();
    for batch in [1, 2, 3, 4, 5, 7, 32, 48, 49, 129] {
        for (x, expected) in
            x.axis_chunks_iter(Axis(0), batch).zip(all.axis_chunks_iter(Axis(0), batch))
        {
            assert_bits(&net.forward(&x).unwrap(), &expected, &format!("batches of {batch}"));
        }
    }
}

#[test]
fn the_layout_of_the_input_does_not_matter() {
    let net = Sequential::new().push(layer::<f32>(270, 33, 1)).push(Relu);
    for batch in [1, 5, 60] {
        let x = noise::<f32>(batch, 270, 3);
        let expected = net.forward(&x).unwrap();
        let mut fortran = Array2::zeros((batch, 270).f());
        fortran.assign(&x);
        assert_bits(&net.forward(&fortran).unwrap(), &expected, "Fortran order");
        let mut wide = Array2::zeros((batch, 540));
        wide.slice_mut(s![.., ..;2]).assign(&x);
        assert_bits(&net.forward(&wide.slice(s![.., ..;2])).unwrap(), &expected, "strided");
        let mut turned = x.clone();
        turned.invert_axis(Axis(1));
        let mut reversed = Array2::zeros((batch, 270));
        reversed.assign(&turned);
        assert_bits(&net.forward(&reversed.slice(s![.., ..;-1])).unwrap(), &expected, "reversed");
        let row = x.row(0);
        let repeated = row.broadcast((4, 270)).unwrap();
        let rows = net.forward(&repeated).unwrap();
        assert_bits(&rows.slice(s![3.., ..]), &expected.slice(s![..1, ..]), "broadcast");
    }
}

#[test]
fn the_layout_of_weights_and_output_does_not_matter() {
    let (x, weight, bias) = (noise::<f64>(9, 20, 1), noise::<f64>(12, 20, 2), Array1::zeros(12));
    let expected = Affine::new(&weight, &bias).map(&x);
    let keras = weight.t().as_standard_layout().to_owned();
    assert_bits(&Affine::new(&keras.t(), &bias).map(&x), &expected, "transposed weights");
    let mut out = Array2::zeros((9, 12).f());
    Affine::new(&weight, &bias).map_assign_into(&x, &mut out, |_| ());
    assert_bits(&out, &expected, "output in Fortran order");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let net = Sequential::new().push(layer::<f32>(512, 512, 1)).push(Gelu).push(layer(512, 300, 2));
    let wide = layer::<f32>(5000, 4001, 3);
    let (rows, row) = (noise::<f32>(500, 512, 4), noise::<f32>(1, 5000, 5));
    // Few rows are cut along the columns, more of them along both.
    let (few, some) = (noise::<f32>(3, 5000, 6), noise::<f32>(110, 5000, 7));
    let all = || {
        let wide = |x| wide.forward(x).unwrap();
        (net.forward(&rows).unwrap(), wide(&row), wide(&few), wide(&some))
    };
    let run = |threads| pool(threads).install(all);
    let serial = run(1);
    // The last one from outside of a pool.
    for parallel in [run(2), run(3), run(8), all()] {
        assert_bits(&parallel.0, &serial.0, "many rows");
        assert_bits(&parallel.1, &serial.1, "one row");
        assert_bits(&parallel.2, &serial.2, "a few rows");
        assert_bits(&parallel.3, &serial.3, "some rows");
    }
}

#[test]
fn the_error_of_a_product_is_within_the_documented_bound() {
    let (x, weight) = (noise::<f32>(8, 2000, 1), noise::<f32>(40, 2000, 2));
    let got = Affine::new(&weight, &Array1::zeros(40)).map(&x);
    let wide = |a: &Array2<f32>| a.mapv(f64::from);
    let exact = wide(&x).dot(&wide(&weight).t());
    let size = wide(&x).mapv(f64::abs).dot(&wide(&weight).mapv(f64::abs).t());
    for ((got, exact), size) in got.iter().zip(&exact).zip(&size) {
        let bound = (257.0 + 2000.0 / 256.0) * f64::from(f32::EPSILON / 2.0) * size;
        assert!((f64::from(*got) - exact).abs() <= bound);
    }
}

#[test]
fn every_element_is_finished_once() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    for (batch, outputs) in [(1, 70), (1, 9000), (5, 20), (5, 5000), (100, 1111), (700, 100)] {
        let map = Affine::new(&Array2::<f32>::ones((outputs, 1500)), &Array1::ones(outputs));
        let mut out = Array2::zeros((batch, outputs));
        let x = Array2::zeros((batch, 1500));
        pool.install(|| map.map_assign_into(&x, &mut out, |piece| piece.mapv_inplace(|v| v + 1.0)));
        assert!(out.iter().all(|&v| v == 2.0), "{batch} x {outputs}");
    }
}

#[test]
fn empty_sizes_work() {
    let none = layer::<f32>(5, 3, 1).forward(&Array2::zeros((0, 5))).unwrap();
    assert_eq!(none.dim(), (0, 3));
    let bias_only = Linear::new(Array2::<f32>::zeros((3, 0)), array![1.0, 2.0, 3.0]).unwrap();
    let y = bias_only.forward(&Array2::zeros((2, 0))).unwrap();
    assert_eq!(y, array![[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]);
    let no_outputs = Linear::new(Array2::<f32>::zeros((0, 4)), Array1::zeros(0)).unwrap();
    let net = Sequential::new().push(no_outputs).push(Relu).push(bias_only);
    assert_eq!(net.forward(&Array2::zeros((2, 4))).unwrap(), y);
}

#[test]
fn nan_and_infinite_inputs_reach_the_output_of_their_row_only() {
    let net = Sequential::new().push(layer::<f32>(20, 10, 1)).push(Relu);
    let mut x = noise::<f32>(8, 20, 2);
    let clean = net.forward(&x).unwrap();
    x[[3, 7]] = f32::NAN;
    let y = net.forward(&x).unwrap();
    assert!(y.row(3).iter().all(|v| v.is_nan()));
    for row in [0, 1, 2, 4, 5, 6, 7] {
        assert_eq!(y.row(row), clean.row(row));
    }
}

#[test]
fn every_activation_in_a_network_is_that_of_the_array() {
    let (linear, x) = (layer::<f32>(30, 40, 1), noise::<f32>(9, 30, 2));
    let product = linear.forward(&x).unwrap();
    for &activation in Activation::ALL.iter() {
        let net = Sequential::new().push(linear.clone()).push(activation);
        let got = net.forward(&x).unwrap();
        assert_bits(&got, &product.activate(activation), &activation.to_string());
    }
}

#[test]
fn all_outputs_are_those_of_the_single_layers() {
    let net = Sequential::new()
        .push(Relu)
        .push(layer::<f32>(30, 20, 1))
        .push(LeakyRelu::new(0.1))
        .push(Tanh)
        .push(layer(20, 5, 2))
        .push(Layer::Softmax);
    let x = noise::<f32>(11, 30, 3);
    let outputs = net.forward_all(&x).unwrap();
    assert_eq!(outputs.len(), 6);
    assert_bits(&outputs[0], &x.relu(), "the first layer");
    assert_bits(&outputs[2], &outputs[1].leaky_relu(0.1), "an activation");
    assert_bits(&outputs[5], &outputs[4].softmax(Axis(1)), "softmax");
    assert_bits(&net.forward(&x).unwrap(), &outputs[5], "the last layer");
}

#[test]
fn a_workspace_serves_batches_of_any_size() {
    let net = Sequential::new().push(layer::<f32>(30, 64, 1)).push(Relu).push(layer(64, 5, 2));
    let mut workspace = Workspace::new();
    for batch in [3, 100, 1, 0, 7, 64] {
        let x = noise::<f32>(batch, 30, batch as u64);
        let got = net.forward_into(&x, &mut workspace).unwrap();
        assert_bits(&got, &net.forward(&x).unwrap(), "reused buffers");
    }
}

#[test]
fn blocks_of_rows_through_all_layers_give_the_bits_of_single_rows() {
    // Large enough for several threads from batches of 20 on, and one with activations at both ends.
    let net = Sequential::new().push(layer::<f32>(300, 520, 1)).push(Silu).push(layer(520, 500, 2));
    let ends = Sequential::new()
        .push(Tanh)
        .push(layer::<f32>(300, 600, 3))
        .push(Layer::Softmax)
        .push(layer(600, 200, 4))
        .push(layer(200, 410, 5))
        .push(Relu)
        .push(Layer::Softmax);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let mut workspace = Workspace::new();
    for batch in [2, 5, 20, 37, 73, 200, 433] {
        let x = noise::<f32>(batch, 300, batch as u64);
        for net in [&net, &ends] {
            let got = net.forward_into(&x, &mut workspace).unwrap().to_owned();
            let inside = pool.install(|| net.forward(&x).unwrap());
            assert_bits(&inside, &got, "inside of a pool");
            assert_bits(net.forward_all(&x).unwrap().last().unwrap(), &got, "layer by layer");
            for i in [0, batch / 2, batch - 1] {
                let alone = net.forward(&x.slice(s![i..=i, ..])).unwrap();
                assert_bits(&alone, &got.slice(s![i..=i, ..]), "one row");
            }
        }
    }
}

#[test]
fn a_network_without_layers_gives_back_its_input() {
    let x = noise::<f32>(3, 4, 1);
    assert_eq!(Sequential::new().forward(&x).unwrap(), x);
    assert_eq!(Sequential::<f32>::new().forward_all(&x).unwrap(), Vec::<Array2<f32>>::new());
}

#[test]
fn a_network_prints_its_layers() {
    let net = Sequential::new().push(layer::<f32>(4, 3, 1)).push(Relu).push(Layer::Softmax);
    assert_eq!(net.to_string(), "linear(4 -> 3), relu, softmax");
    assert_eq!((net.inputs(), net.outputs()), (Some(4), Some(3)));
    assert_eq!(net.layers().len(), 3);
}

#[test]
fn errors_name_the_layer_what_was_expected_and_what_came() {
    let net = Sequential::new().push(layer::<f32>(4, 3, 1)).push(Relu);
    let error = net.forward(&Array2::zeros((2, 5))).unwrap_err();
    let text = "layer 0 (linear): expected an input of shape [batch, 4], got [2, 5]";
    assert_eq!(error.to_string(), text);
    assert_eq!(net.forward_all(&Array2::zeros((2, 5))).unwrap_err(), error);

    let late = Sequential::new().push(Relu).push(layer::<f32>(4, 3, 1));
    let error = late.forward(&Array2::zeros((2, 5))).unwrap_err();
    assert!(error.to_string().starts_with("layer 1 (linear)"), "{error}");

    let net = net.push(layer(7, 2, 2));
    let text =
        "layer 2 (linear): expected an input of width 3 from layer 0 (linear), but it takes 7";
    assert_eq!(net.check().unwrap_err().to_string(), text);
    assert_eq!(net.forward(&Array2::zeros((2, 4))).unwrap_err().to_string(), text);
    let mut workspace = Workspace::new();
    let x = Array2::zeros((2, 4));
    assert_eq!(net.forward_into(&x, &mut workspace).unwrap_err().to_string(), text);
}

#[test]
fn a_bad_weight_or_bias_is_an_error() {
    let error = Linear::new(Array2::<f32>::zeros((3, 5)), Array1::zeros(4)).unwrap_err();
    assert_eq!(error.to_string(), "bias: expected one element for each of 3 outputs, got 4");
    let mut weight = Array2::<f32>::zeros((3, 5));
    weight[[1, 4]] = f32::NAN;
    let error = Linear::new(weight.view(), Array1::zeros(3)).unwrap_err();
    assert_eq!(error.to_string(), "weight[1, 4]: expected a finite number, got NaN");
    weight[[1, 4]] = 0.0;
    let error = Linear::new(weight, array![0.0, f32::NEG_INFINITY, 0.0]).unwrap_err();
    assert_eq!(error.to_string(), "bias[1]: expected a finite number, got -inf");
}

fn weights(widths: &[(usize, usize, usize)]) -> Weights {
    let mut weights = Weights::new();
    for &(index, inputs, outputs) in widths {
        weights.insert(format!("{index}.weight"), &noise::<f32>(outputs, inputs, 1));
        weights.insert(format!("{index}.bias"), &Array1::<f32>::zeros(outputs));
    }
    weights
}

/// Blocks of rows of which the last has one, on every level.
#[test]
fn a_softmax_wider_than_what_is_before_it_takes_a_row_that_is_left_over() {
    let weights = weights(&[(0, 4, 8), (2, 8, 20)]);
    let net = Sequential::<f32>::from_description("linear,relu,linear,softmax", &weights).unwrap();
    for level in Level::available() {
        with_level(level, || {
            for batch in [1, 2, 65, 97, 129, 193, 257] {
                let x = noise(batch, 4, 3);
                let expected = net.forward_all(&x).unwrap().pop().unwrap();
                assert_bits(&net.forward(&x).unwrap(), &expected, "forward");
                let mut workspace = Workspace::new();
                let y = net.forward_into(&x, &mut workspace).unwrap().to_owned();
                assert_bits(&y, &expected, "forward_into");
            }
        });
    }
}
