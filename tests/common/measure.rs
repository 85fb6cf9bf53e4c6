//! Largest errors over many inputs: what `examples/accuracy.rs` prints and `tests` assert.

use rayon::prelude::*;

use super::dd::Real;
use super::inputs::{BENDS, Random, around};
use super::noun::Entry;
use super::ulp::{Format, error, error_f32, special_error};

/// The function or its derivative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Which {
    Function,
    Derivative,
}

impl Which {
    pub const BOTH: [Self; 2] = [Self::Function, Self::Derivative];

    /// `f` or `f'`.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Function => "f",
            Self::Derivative => "f'",
        }
    }
}

/// The largest error met so far, where it was, and how many results were correctly rounded.
#[derive(Clone, Copy, Debug)]
pub struct Worst<A> {
    pub error: f64,
    pub at: A,
    pub got: A,
    pub inputs: u64,
    pub correct: u64,
    /// Two neighbours between which a function that should not fall falls: the first one.
    pub falls_at: Option<A>,
}

impl<A: Format> Worst<A> {
    pub fn new() -> Self {
        let zero = A::zero();
        Self { error: -1.0, at: zero, got: zero, inputs: 0, correct: 0, falls_at: None }
    }

    /// Without the counts, where the inputs are not a fair sample.
    fn only_largest(self) -> Self {
        Self { inputs: 0, correct: 0, ..self }
    }

    fn add(&mut self, error: f64, at: A, got: A) {
        self.inputs += 1;
        self.correct += u64::from(error <= 0.5);
        if error > self.error {
            (self.error, self.at, self.got) = (error, at, got);
        }
    }

    pub fn merge(mut self, other: Self) -> Self {
        if other.error > self.error {
            (self.error, self.at, self.got) = (other.error, other.at, other.got);
        }
        self.inputs += other.inputs;
        self.correct += other.correct;
        self.falls_at = self.falls_at.or(other.falls_at);
        self
    }

    /// For messages.
    pub fn describe(&self, entry: &Entry<A>, which: Which) -> String {
        let x = self.at.to_f64();
        let exact = if x.is_finite() {
            format!("{:e}", entry.exact_at(which, x).approximate())
        } else {
            "the limit".to_string()
        };
        format!(
            "{} {}: {:.4} ULP at {:e} (bits {:#x}), got {:e} (bits {:#x}), exact {exact}",
            entry.curve.describe(),
            which.symbol(),
            self.error,
            self.at,
            self.at.bits(),
            self.got,
            self.got.bits(),
        )
    }
}

impl<A: Format> Entry<A> {
    /// Our result for every element of `x`.
    pub fn evaluate(&self, which: Which, x: &[A]) -> Vec<A> {
        match which {
            Which::Function => self.function(x),
            Which::Derivative => self.derivative(x),
        }
    }

    /// The exact value for a finite `x`.
    pub fn exact_at(&self, which: Which, x: f64) -> Real {
        let f = match which {
            Which::Function => self.exact.function,
            Which::Derivative => self.exact.derivative,
        };
        f(x, self.curve.parameters())
    }

    /// The error of `got`, whatever `x` is.
    pub fn error_at(&self, which: Which, x: A, got: A) -> f64 {
        if x.is_nan() {
            return special_error(got, f64::NAN);
        }
        if x.is_infinite() {
            let limits = (self.exact.limits)(self.curve.parameters());
            let ends = match which {
                Which::Function => limits.function,
                Which::Derivative => limits.derivative,
            };
            let limit = A::from_f64(ends[usize::from(x > A::zero())]);
            return special_error(got, limit.to_f64());
        }
        error(got, self.exact_at(which, x.to_f64()))
    }

    /// Measures against the exact reference.
    pub fn measure(&self, which: Which, x: &[A]) -> Worst<A> {
        let mut worst = Worst::new();
        for (&x, got) in x.iter().zip(self.evaluate(which, x)) {
            worst.add(self.error_at(which, x, got), x, got);
        }
        worst
    }
}

/// Errors of the reference in doubles, in ULP of `f32`, stay far below this.
const DOUBT: f64 = 1e-5;

impl Entry<f32> {
    /// As [`measure`](Entry::measure) against the reference in doubles; wherever that does not
    /// decide between correctly rounded and not, or a new maximum is found, the exact one is asked.
    pub fn measure_f32(&self, which: Which, x: &[f32], got: &[f32]) -> Worst<f32> {
        let f = match which {
            Which::Function => self.fast.function,
            Which::Derivative => self.fast.derivative,
        };
        let roots = if which == Which::Derivative { self.fast.roots } else { &[] };
        let parameters = self.curve.parameters();
        let mut worst = Worst::new();
        for (&x, &got) in x.iter().zip(got) {
            let mut error = if x.is_finite() {
                error_f32(got, f(f64::from(x), parameters))
            } else {
                self.error_at(which, x, got)
            };
            let doubtful = (error - 0.5).abs() < DOUBT
                || error > worst.error.max(0.5) - DOUBT
                || roots.iter().any(|root| (root - f64::from(x)).abs() < 0.02);
            if doubtful {
                error = self.error_at(which, x, got);
            }
            worst.add(error, x, got);
        }
        worst
    }

    /// All 2³² inputs, or every `thin`-th block of 2¹⁵ of them, of the function and the derivative,
    /// on all cores. `progress` gets the number of inputs done since it was last called.
    pub fn measure_all(&self, thin: usize, progress: &(impl Fn(u64) + Sync)) -> [Worst<f32>; 2] {
        const BLOCK: usize = 1 << 15;
        let blocks = (0..(1usize << 32) / BLOCK).into_par_iter().step_by(thin);
        let one = |block: usize| {
            let start = (block * BLOCK) as u32;
            // One more, so that neighbours in different blocks are compared too.
            let x: Vec<f32> =
                (0..=BLOCK as u32).map(|i| f32::from_bits(start.wrapping_add(i))).collect();
            let worst = Which::BOTH.map(|which| {
                let y = self.evaluate(which, &x);
                let mut worst = self.measure_f32(which, &x[..BLOCK], &y[..BLOCK]);
                if which == Which::Function && self.exact.monotone {
                    worst.falls_at = falls(&x, &y);
                }
                worst
            });
            progress(BLOCK as u64);
            worst
        };
        blocks.map(one).reduce(|| [Worst::new(); 2], |[a, b], [c, d]| [a.merge(c), b.merge(d)])
    }
}

/// The first of `x` (neighbours by bit pattern) from which to the next one `y` falls.
pub fn falls<A: Format>(x: &[A], y: &[A]) -> Option<A> {
    let pairs = x.windows(2).zip(y.windows(2));
    let mut bad = pairs.filter(|(x, y)| {
        let rises = if x[0] < x[1] { y[0] <= y[1] } else { y[0] >= y[1] };
        // From −0 to the last NaN, from +∞ to the first NaN, and the wrap at the end.
        !(rises || x[0].is_nan() || x[1].is_nan())
    });
    bad.next().map(|(x, _)| x[0])
}

impl Entry<f64> {
    /// `count` random numbers and the neighbourhoods of all places of interest. A sixth of the numbers are spread over all
    /// exponents or those where activations bend, a sixth evenly from −40 to 40, a sixth within a 64th of the places; the
    /// rest are looked for where the largest errors of each sixth were so far, since errors of one cause are large
    /// together.
    pub fn measure_random(
        &self,
        count: usize,
        progress: &(impl Fn(u64) + Sync),
    ) -> [Worst<f64>; 2] {
        const BLOCK: usize = 1 << 12;
        let mut hard = vec![f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        for &place in self.exact.places.iter().chain(self.exact.roots) {
            around(place, 1000, &mut hard);
        }
        let merge = |[a, b]: [Worst<f64>; 2], [c, d]: [Worst<f64>; 2]| [a.merge(c), b.merge(d)];
        let places = hard.par_chunks(256).map(|x| Which::BOTH.map(|which| self.measure(which, x)));
        let places = places.reduce(|| [Worst::new(); 2], merge);
        type Found = [[Worst<f64>; 2]; 3];
        let nothing = || [[Worst::new(); 2]; 3];
        let each = |[a, b, c]: Found, [d, e, f]: Found| [merge(a, d), merge(b, e), merge(c, f)];
        let half = count.div_ceil(2 * BLOCK);
        let spread = |block: usize| {
            let mut random = Random(block as u64);
            let wide = |i: usize| match i % 2 {
                0 => random.number(-1100, 1100),
                _ => random.number(BENDS.0, BENDS.1),
            };
            let wide: Vec<f64> = (0..BLOCK / 3).map(wide).collect();
            let dense: Vec<f64> = (0..BLOCK / 3).map(|_| random.even(-40.0, 40.0)).collect();
            let near = |_| {
                let place = random.below(self.exact.places.len() as u64) as usize;
                let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
                sign * self.exact.places[place] * random.even(1.0 - 1.0 / 64.0, 1.0 + 1.0 / 64.0)
            };
            let near: Vec<f64> = (0..BLOCK / 3).map(near).collect();
            progress(BLOCK as u64);
            let measure = |x: &[f64]| Which::BOTH.map(|which| self.measure(which, x));
            [measure(&wide), measure(&dense), measure(&near).map(Worst::only_largest)]
        };
        let mut worst = (0..half).into_par_iter().map(spread).reduce(nothing, each);
        worst[0] = merge(worst[0], places);
        // Nearer and nearer to the worst places of each.
        const ROUNDS: usize = 8;
        let share = half.div_ceil(ROUNDS);
        for round in 0..ROUNDS {
            let radius = 2f64.powi(-3 - round as i32);
            let near = |block: usize| {
                let mut random = Random((half + round * share + block) as u64);
                let found = worst.map(|worst| {
                    [0, 1].map(|i| {
                        let one = |_| worst[i].at * random.even(1.0 - radius, 1.0 + radius);
                        let x: Vec<f64> = (0..BLOCK / 3).map(one).collect();
                        self.measure(Which::BOTH[i], &x).only_largest()
                    })
                });
                progress(BLOCK as u64);
                found
            };
            let found = (0..share).into_par_iter().map(near).reduce(nothing, each);
            worst = each(worst, found);
        }
        let [wide, dense, near] = worst;
        merge(merge(wide, dense), near)
    }
}
