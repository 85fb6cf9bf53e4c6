//! Every activation, every verb, every layout: the bits are those of `scalar`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::{
    Array, ArrayD, ArrayRefD, ArrayViewD, Axis, Dimension, IxDyn, ShapeBuilder, SliceInfoElem,
};
use ndarray_activations::{Elementwise, Gelu, HardShrink, Relu, Sigmoid};

use crate::common::inputs::Random;
use crate::common::noun::{Verbs, verbs};
use crate::common::ulp::Format;

/// Bits, with all NaNs the same.
pub fn bits<A: Format>(x: A) -> u64 {
    if x.is_nan() { u64::MAX } else { x.bits() }
}

/// Numbers where activations bend, a few special ones among them.
pub fn numbers<A: Format>(count: usize) -> Vec<A> {
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, -88.9, -14.2, 3.0, -3.0];
    let mut random = Random(count as u64);
    (0..count)
        .map(|i| match i % 7 {
            3 => A::from_f64(special[i / 7 % special.len()]),
            _ => random.number(-6, 6),
        })
        .collect()
}

/// What a layout test does with an array of some layout: `parent` is the owner of the memory and
/// `view` takes the array under test out of it.
struct Layout {
    name: &'static str,
    shape: Vec<usize>,
    fortran: bool,
    /// For each axis `(start, end, step)`.
    slice: Option<Vec<(isize, Option<isize>, isize)>>,
    permutation: Option<Vec<usize>>,
}

impl Layout {
    fn new(name: &'static str, shape: &[usize]) -> Self {
        Self { name, shape: shape.to_vec(), fortran: false, slice: None, permutation: None }
    }

    fn fortran(mut self) -> Self {
        self.fortran = true;
        self
    }

    fn slice(mut self, slice: &[(isize, Option<isize>, isize)]) -> Self {
        self.slice = Some(slice.to_vec());
        self
    }

    fn permuted(mut self, axes: &[usize]) -> Self {
        self.permutation = Some(axes.to_vec());
        self
    }

    /// The owner, filled with numbers.
    fn parent<A: Format>(&self) -> ArrayD<A> {
        let count = self.shape.iter().product();
        let shape = IxDyn(&self.shape).set_f(self.fortran);
        ArrayD::from_shape_vec(shape, numbers(count)).unwrap()
    }

    fn view_mut<'a, A>(&self, parent: &'a mut ArrayRefD<A>) -> ndarray::ArrayViewMutD<'a, A> {
        let mut view = parent.view_mut();
        if let Some(slice) = &self.slice {
            for (axis, &(start, end, step)) in slice.iter().enumerate() {
                view.slice_axis_inplace(Axis(axis), ndarray::Slice { start, end, step });
            }
        }
        match &self.permutation {
            Some(axes) => view.permuted_axes(IxDyn(axes)),
            None => view,
        }
    }
}

const ALL: (isize, Option<isize>, isize) = (0, None, 1);
const BACK: (isize, Option<isize>, isize) = (0, None, -1);

fn layouts() -> Vec<Layout> {
    vec![
        Layout::new("0-d", &[]),
        Layout::new("empty", &[0]),
        Layout::new("empty in the middle", &[3, 0, 2]),
        Layout::new("one element", &[1]),
        Layout::new("row", &[37]),
        Layout::new("reversed row", &[37]).slice(&[BACK]),
        Layout::new("every third, backwards", &[100]).slice(&[(1, None, -3)]),
        Layout::new("C", &[5, 41]),
        Layout::new("Fortran", &[41, 5]).fortran(),
        Layout::new("sliced", &[9, 60]).slice(&[(2, Some(7), 1), (3, Some(50), 1)]),
        Layout::new("sliced rows of one element", &[40, 9]).slice(&[ALL, (4, Some(5), 1)]),
        Layout::new("strided", &[9, 60]).slice(&[(0, None, 2), (1, None, 3)]),
        Layout::new("reversed outer axis", &[6, 35]).slice(&[BACK, ALL]),
        Layout::new("reversed inner axis", &[6, 35]).slice(&[ALL, BACK]),
        Layout::new("all reversed", &[6, 35]).slice(&[BACK, BACK]),
        Layout::new("Fortran, strided", &[35, 6]).fortran().slice(&[(0, None, 2), BACK]),
        Layout::new("permuted", &[3, 34, 4]).permuted(&[2, 0, 1]),
        Layout::new("permuted and reversed", &[3, 34, 4])
            .slice(&[BACK, ALL, BACK])
            .permuted(&[1, 2, 0]),
        Layout::new("larger than a tile", &[70, 61]).slice(&[ALL, (0, None, 2)]).permuted(&[1, 0]),
        Layout::new("rows beside a gap", &[40, 70]).slice(&[ALL, (3, Some(63), 1)]),
        Layout::new("long rows beside a gap", &[7, 300]).slice(&[ALL, (7, Some(290), 1)]),
        Layout::new("steps in many rows", &[90, 61]).slice(&[ALL, (0, None, 2)]),
        Layout::new("steps in long rows", &[3, 2600]).slice(&[BACK, (0, None, -2)]),
        Layout::new("a large transpose", &[257, 260]).permuted(&[1, 0]),
        Layout::new("four axes", &[2, 3, 4, 33]).permuted(&[3, 1, 0, 2]),
        Layout::new("five axes", &[2, 3, 2, 3, 5]).slice(&[ALL, BACK, ALL, (0, None, 2), ALL]),
        Layout::new("six axes", &[2, 3, 2, 2, 3, 4]).permuted(&[5, 0, 4, 1, 3, 2]),
        Layout::new("six axes, Fortran", &[2, 3, 2, 2, 3, 4]).fortran(),
    ]
}

/// Panics unless both arrays hold the same bits.
fn assert_same<A: Format>(got: &ArrayRefD<A>, expected: &ArrayRefD<A>, what: &dyn Fn() -> String) {
    assert_eq!(got.shape(), expected.shape(), "shape: {}", what());
    for (index, got) in got.indexed_iter() {
        let expected = expected[&index];
        assert!(
            bits(*got) == bits(expected),
            "{}: at {index:?} got {got:e} ({:#x}), expected {expected:e} ({:#x})",
            what(),
            got.bits(),
            expected.bits()
        );
    }
}

/// The answers of the scalar forms, which know nothing of arrays.
struct Expected<A> {
    function: ArrayD<A>,
    slope: ArrayD<A>,
    dy: ArrayD<A>,
    product: ArrayD<A>,
}

impl<A: Format> Expected<A> {
    fn new(noun: &dyn Verbs<A>, x: &ArrayRefD<A>) -> Self {
        let function = x.mapv(|a| noun.scalar(a));
        let slope = x.mapv(|a| noun.derivative(&[a])[0]);
        let mut random = Random(7);
        let dy = x.mapv(|_| random.number(-3, 3));
        let product = ndarray::Zip::from(&dy).and(&slope).map_collect(|&a, &b| a * b);
        Self { function, slope, dy, product }
    }
}

fn check_verbs<A: Format>(noun: &dyn Verbs<A>, layout: &Layout) {
    let mut parent = layout.parent::<A>();
    let untouched = parent.clone();
    let view = layout.view_mut(&mut parent);
    let x: ArrayViewD<A> = view.view();
    let expected = Expected::new(noun, &x);
    let say = |verb: &str| format!("{} {verb}, {}", noun.describe(), layout.name);

    let y = noun.map(&x);
    assert_same(&y, &expected.function, &|| say("map"));
    // The memory order that ndarray itself would choose.
    let like = x.mapv(|a| a);
    if x.len() > 1 {
        assert_eq!(y.strides(), like.strides(), "{}", say("map's memory order"));
    }
    assert_same(&noun.gradient(&x), &expected.slope, &|| say("gradient"));
    assert_same(&noun.backward(&x, &expected.dy), &expected.product, &|| say("backward"));

    for fortran in [false, true] {
        let shape = x.raw_dim().set_f(fortran);
        let mut out = ArrayD::from_elem(shape.clone(), A::from_f64(9.0));
        noun.map_assign_into(&x, &mut out);
        assert_same(&out, &expected.function, &|| say("map_assign_into a fresh array"));
        let mut dx = ArrayD::zeros(shape);
        dx.assign(&expected.dy);
        noun.backward_inplace(&x, &mut dx);
        assert_same(&dx, &expected.product, &|| say("backward_inplace of a fresh array"));
    }
    let x = x.to_owned();

    // The layout on the side that is written; what the view leaves out stays as it was.
    let mut out = untouched.clone();
    noun.map_assign_into(&x, &mut layout.view_mut(&mut out));
    assert_same(&layout.view_mut(&mut out), &expected.function, &|| say("map_assign_into a view"));
    layout.view_mut(&mut out).assign(&x);
    assert_same(&out, &untouched, &|| say("what map_assign_into must not touch"));

    let mut inplace = untouched.clone();
    noun.map_inplace(&mut layout.view_mut(&mut inplace));
    assert_same(&layout.view_mut(&mut inplace), &expected.function, &|| say("map_inplace"));
    layout.view_mut(&mut inplace).assign(&x);
    assert_same(&inplace, &untouched, &|| say("what map_inplace must not touch"));

    let mut dx = untouched.clone();
    layout.view_mut(&mut dx).assign(&expected.dy);
    noun.backward_inplace(&x, &mut layout.view_mut(&mut dx));
    assert_same(&layout.view_mut(&mut dx), &expected.product, &|| {
        say("backward_inplace of a view")
    });

    assert_same(&noun.map_into(x), &expected.function, &|| say("map_into"));
}

fn check_broadcast<A: Format>(noun: &dyn Verbs<A>) {
    for (from, to) in [
        (vec![], vec![3, 5]),
        (vec![7], vec![4, 7]),
        (vec![4, 1], vec![4, 40]),
        (vec![2, 1, 3], vec![2, 30, 3]),
    ] {
        let count = from.iter().product();
        let small = ArrayD::from_shape_vec(IxDyn(&from), numbers::<A>(count)).unwrap();
        let x = small.broadcast(IxDyn(&to)).unwrap();
        let expected = Expected::new(noun, &x);
        let say = || format!("{} of {from:?} broadcast to {to:?}", noun.describe());
        assert_same(&noun.map(&x), &expected.function, &say);
        assert_same(&noun.gradient(&x), &expected.slope, &say);
        assert_same(&noun.backward(&x, &expected.dy), &expected.product, &say);
        // An upstream gradient that is the same everywhere, as that of a sum.
        let ones = ArrayD::ones(IxDyn(&[]));
        let ones = ones.broadcast(IxDyn(&to)).unwrap();
        assert_same(&noun.backward(&x, &ones), &expected.slope, &say);
        let mut out = ArrayD::zeros(IxDyn(&to).f());
        noun.map_assign_into(&x, &mut out);
        assert_same(&out, &expected.function, &say);
    }
}

fn check_catalogue<A: Format>() {
    let layouts = layouts();
    for noun in verbs::<A>() {
        for layout in &layouts {
            check_verbs(&*noun, layout);
        }
        check_broadcast(&*noun);
    }
}

#[test]
fn every_verb_on_every_layout_gives_the_bits_of_scalar_in_f32() {
    check_catalogue::<f32>();
}

#[test]
fn every_verb_on_every_layout_gives_the_bits_of_scalar_in_f64() {
    check_catalogue::<f64>();
}

/// The same with the number of axes known to the compiler.
fn check_static<A: Format, D: Dimension>(noun: impl Elementwise, shape: D) {
    let x: Array<A, D> = Array::from_shape_vec(shape.clone(), numbers(shape.size())).unwrap();
    let y = noun.map(&x);
    let dy = noun.backward(&x, &Array::ones(shape.clone()));
    let (mut out, mut inplace) = (Array::zeros(shape.f()), x.clone());
    noun.map_assign_into(&x, &mut out);
    noun.map_inplace(&mut inplace);
    let expected = x.mapv(|a| bits(noun.scalar(a)));
    for got in [y, out, inplace] {
        assert_eq!(got.mapv(bits), expected, "{} axes", x.ndim());
    }
    assert_eq!(dy.mapv(bits), noun.gradient(&x).mapv(bits));
}

#[test]
fn arrays_of_every_number_of_axes_work() {
    use ndarray::Dim;
    check_static::<f32, _>(Gelu, Dim([]));
    check_static::<f32, _>(Gelu, Dim([35]));
    check_static::<f32, _>(Gelu, Dim([5, 35]));
    check_static::<f32, _>(Gelu, Dim([3, 2, 5]));
    check_static::<f32, _>(Gelu, Dim([3, 2, 1, 5]));
    check_static::<f32, _>(Gelu, Dim([3, 2, 1, 2, 5]));
    check_static::<f32, _>(Gelu, Dim([3, 2, 1, 2, 2, 5]));
    check_static::<f64, _>(Relu, Dim([3, 2, 1, 2, 2, 5]));
}

#[test]
fn mutable_views_can_be_consumed() {
    let mut x = ArrayD::from_shape_vec(IxDyn(&[4, 5]), numbers::<f32>(20)).unwrap();
    let expected = Sigmoid.map(&x);
    Sigmoid.map_into(x.view_mut());
    assert_same(&x, &expected, &|| "map_into of a view".to_string());
}

#[test]
fn copy_on_write_arrays_leave_their_siblings_alone() {
    let x = ndarray::ArcArray::<f64, _>::from(vec![-1.0, 2.0]);
    let mut y = x.clone();
    y.map_inplace(|a| *a += 0.0);
    let z = Relu.map_into(x.clone());
    assert_eq!(x.to_vec(), [-1.0, 2.0]);
    assert_eq!(z.to_vec(), [0.0, 2.0]);
}

/// The message of a panic.
fn message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("this should panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast::<&str>().expect("a message").to_string(),
    }
}

#[test]
fn shapes_that_differ_panic_naming_both_and_leave_the_output_untouched() {
    for noun in verbs::<f32>() {
        let x = ArrayD::from_elem(IxDyn(&[2, 3]), 1.5f32);
        for shape in [&[3, 2][..], &[6], &[2, 3, 1], &[1, 3], &[], &[0]] {
            let mut out = ArrayD::from_elem(IxDyn(shape), 9.0f32);
            let before = out.clone();
            let shown = format!("{shape:?}");
            for text in [
                message(|| noun.map_assign_into(&x, &mut out)),
                message(|| noun.backward_inplace(&x, &mut out)),
                message(|| drop(noun.backward(&x, &before))),
            ] {
                let names_both = text.contains(&shown) && text.contains("[2, 3]");
                assert!(names_both, "{}: {text:?}", noun.describe());
            }
            assert_eq!(out, before, "{}", noun.describe());
        }
    }
}

#[test]
fn slices_through_the_macro_of_ndarray_work() {
    let x = ArrayD::from_shape_vec(IxDyn(&[4, 6]), numbers::<f64>(24)).unwrap();
    let info = [
        SliceInfoElem::Index(2),
        SliceInfoElem::Slice { start: 0, end: None, step: -2 },
        SliceInfoElem::NewAxis,
    ];
    let view = x.slice(&info[..]);
    assert_eq!(view.shape(), [3, 1]);
    let y = HardShrink::default().map(&view);
    assert_same(&y, &view.mapv(|a| HardShrink::default().scalar(a)), &|| "slice".to_string());
}
