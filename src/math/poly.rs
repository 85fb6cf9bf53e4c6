//! Polynomials: long ones by Estrin's scheme, whose chain of dependent steps grows with the logarithm
//! of the degree; short ones by Horner's rule, which needs fewer instructions and registers, or by the
//! same rule in the square, where the chain counts and the square is there anyway.

use super::Pair;
use crate::lane::Lane;

/// Coefficients from the lowest to the highest power, for each element type, once for each lane of a
/// vector; each begins a cache line, since a load that crosses one costs twice.
#[repr(C, align(64))]
pub(crate) struct Table<const N: usize, const M: usize> {
    single: [[f32; 16]; N],
    double: [[f64; 8]; M],
}

impl<const N: usize, const M: usize> Table<N, M> {
    pub(crate) const fn new(single: [f32; N], double: [f64; M]) -> Self {
        let mut table = Self { single: [[0.0; 16]; N], double: [[0.0; 8]; M] };
        let mut i = 0;
        while i < N {
            table.single[i] = [single[i]; 16];
            i += 1;
        }
        i = 0;
        while i < M {
            table.double[i] = [double[i]; 8];
            i += 1;
        }
        table
    }

    /// `c[0] + c[1] x + c[2] x² + …` with the fewest steps; `N` and `M` are at most 16.
    ///
    /// The table is hidden from the compiler, which would otherwise load every coefficient into a
    /// register first: 4 to 8 % of the time of a sigmoid.
    #[inline(always)]
    pub(crate) fn at<V: Lane>(&'static self, x: V) -> V {
        self.chosen::<V, false>(x)
    }

    /// The same by Estrin's scheme in `f64`: two steps more, half the chain, and a little less error.
    #[inline(always)]
    pub(crate) fn sooner<V: Lane>(&'static self, x: V) -> V {
        self.chosen::<V, true>(x)
    }

    #[inline(always)]
    fn chosen<V: Lane, const SOONER: bool>(&'static self, x: V) -> V {
        if !V::IS_FUSED {
            return self.called::<V, SOONER>(x);
        }
        let table = if V::HAS_ROOM { self } else { core::hint::black_box(self) };
        table.inlined::<V, SOONER>(x)
    }

    /// The same as a function of its own, which keeps loops with emulated steps short.
    #[inline(never)]
    fn called<V: Lane, const SOONER: bool>(&'static self, x: V) -> V {
        self.inlined::<V, SOONER>(x)
    }

    #[inline(always)]
    fn inlined<V: Lane, const SOONER: bool>(&'static self, x: V) -> V {
        let table = self;
        let x2 = x * x;
        if V::SINGLE {
            return by_squares(x, x2, N, |i| x.row(&table.single[i], &[0.0; 8]));
        }
        // The constant term last, as in [`nested`].
        let c = |i: usize| x.row(&[0.0; 16], &table.double[i + 1]);
        let rest = if SOONER { estrin(x, M - 1, c) } else { by_squares(x, x2, M - 1, c) };
        rest.mul_add(x, x.row(&[0.0; 16], &table.double[0]))
    }
}

/// `c[0] + c[1] x + c[2] x² + …` for one element type; at most 16 coefficients.
#[inline(always)]
pub(crate) fn double<V: Lane, const M: usize>(x: V, c: &[f64; M]) -> V {
    if V::IS_FUSED { estrin(x, M, |i| x.splat(c[i])) } else { called(x, c) }
}

/// The same as a function of its own, which keeps loops with emulated steps short.
#[inline(never)]
fn called<V: Lane, const M: usize>(x: V, c: &[f64; M]) -> V {
    estrin(x, M, |i| x.splat(c[i]))
}

/// A function with a simple zero at `t + low = 0`: `(t + low) (c + t rest(t))` with `c` given as a
/// pair, within 1 ULP for `t` so small that `c` carries nearly all of the factor. `t` is exact.
#[inline(always)]
pub(crate) fn from_root<V: Lane, const M: usize>(
    t: V,
    low: V,
    c: (f64, f64),
    rest: &[f64; M],
) -> V {
    let high = t.splat(c.0);
    // The distance from the zero as a pair: its low part counts with the slope only.
    let t = Pair::sum(t, low);
    let tail = nested(t.high, rest).mul_add(t.high, high.splat(c.1));
    t.high.mul_add(high, t.high.mul_add(tail, t.low * high))
}

/// [`double`] with the constant term added last, for `x` so small that it carries nearly all of the
/// value: then there is one rounding in the sum, where Estrin's scheme has one at each level.
#[inline(always)]
pub(crate) fn nested<V: Lane, const M: usize>(x: V, c: &[f64; M]) -> V {
    estrin(x, M - 1, |i| x.splat(c[i + 1])).mul_add(x, x.splat(c[0]))
}

/// `c[0] + c[1] x + …` in pairs of terms, by Horner's rule in `x2`, the square of `x`.
#[inline(always)]
pub(crate) fn paired<V: Lane, const M: usize>(x: V, x2: V, c: &[f64; M]) -> V {
    by_squares(x, x2, M, |i| x.splat(c[i]))
}

/// `c[0] + c[1] x + … + x^M` as [`paired`]: with a leading coefficient of 1 the first step is an addition, which
/// goes beside the multiplications.
#[inline(always)]
pub(crate) fn monic<V: Lane, const M: usize>(x: V, x2: V, c: &[f64; M]) -> V {
    let pair = |i: usize| x.splat(c[i + 1]).mul_add(x, x.splat(c[i]));
    let (mut sum, mut i) =
        if M.is_multiple_of(2) { (x2 + pair(M - 2), M - 2) } else { (x + c[M - 1], M - 1) };
    while i > 0 {
        i -= 2;
        sum = sum.mul_add(x2, pair(i));
    }
    sum
}

/// The same by Horner's rule: the longest chain, the fewest instructions and registers.
#[inline(always)]
pub(crate) fn monic_horner<V: Lane, const M: usize>(x: V, c: &[f64; M]) -> V {
    let mut sum = x + c[M - 1];
    for &c in c[..M - 1].iter().rev() {
        sum = sum.mul_add(x, x.splat(c));
    }
    sum
}

/// `c[0] + c[1] x + …` by Horner's rule with coefficients that differ from lane to lane.
#[inline(always)]
pub(crate) fn horner<V: Lane, const N: usize>(x: V, c: &[V; N]) -> V {
    let mut sum = c[N - 1];
    for &c in c[..N - 1].iter().rev() {
        sum = sum.mul_add(x, c);
    }
    sum
}

/// The same where the terms behind these have the sum `sum · x^N`.
#[inline(always)]
pub(crate) fn horner_on<V: Lane, const N: usize>(sum: V, x: V, c: &[V; N]) -> V {
    let mut sum = sum;
    for &c in c.iter().rev() {
        sum = sum.mul_add(x, c);
    }
    sum
}

/// `c(0) + c(1) x + …`, `len` terms, in pairs, by Horner's rule in `x2`, the square of `x`.
#[inline(always)]
pub(crate) fn by_squares<V: Lane>(x: V, x2: V, len: usize, c: impl Fn(usize) -> V + Copy) -> V {
    let pair = |i: usize| if i + 1 < len { c(i + 1).mul_add(x, c(i)) } else { c(i) };
    let mut i = (len - 1) / 2 * 2;
    let mut sum = pair(i);
    while i > 0 {
        i -= 2;
        sum = sum.mul_add(x2, pair(i));
    }
    sum
}

#[inline(always)]
fn estrin<V: Lane>(x: V, len: usize, c: impl Fn(usize) -> V + Copy) -> V {
    if len <= 7 {
        let mut sum = c(len - 1);
        for i in (0..len - 1).rev() {
            sum = sum.mul_add(x, c(i));
        }
        return sum;
    }
    let x2 = x * x;
    let x4 = x2 * x2;
    if len <= 8 {
        return upto8(x, x2, x4, len, c);
    }
    let high = upto8(x, x2, x4, len - 8, |i| c(8 + i));
    high.mul_add(x4 * x4, upto8(x, x2, x4, 8, c))
}

#[inline(always)]
fn upto8<V: Lane>(x: V, x2: V, x4: V, len: usize, c: impl Fn(usize) -> V + Copy) -> V {
    if len <= 4 {
        return upto4(x, x2, len, c);
    }
    upto4(x, x2, len - 4, |i| c(4 + i)).mul_add(x4, upto4(x, x2, 4, c))
}

#[inline(always)]
fn upto4<V: Lane>(x: V, x2: V, len: usize, c: impl Fn(usize) -> V + Copy) -> V {
    match len {
        1 => c(0),
        2 => c(1).mul_add(x, c(0)),
        3 => c(2).mul_add(x2, c(1).mul_add(x, c(0))),
        _ => c(3).mul_add(x, c(2)).mul_add(x2, c(1).mul_add(x, c(0))),
    }
}
