//! Softmax in double-double arithmetic, element by element.

use ndarray::ArrayRef1;
use ndarray_activations::Element;

/// `high + low`.
#[derive(Clone, Copy, Debug)]
pub struct Dd(pub f64, pub f64);

fn two_sum(a: f64, b: f64) -> Dd {
    let s = a + b;
    let t = s - a;
    Dd(s, (a - (s - t)) + (b - t))
}

impl Dd {
    pub fn add(self, o: Self) -> Self {
        let s = two_sum(self.0, o.0);
        let t = two_sum(self.1, o.1);
        let s = two_sum(s.0, s.1 + t.0);
        two_sum(s.0, s.1 + t.1)
    }
    pub fn mul(self, o: Self) -> Self {
        let p = self.0 * o.0;
        let e = self.0.mul_add(o.0, -p) + (self.0 * o.1 + self.1 * o.0);
        two_sum(p, e)
    }
    pub fn div(self, o: Self) -> Self {
        let q = self.0 / o.0;
        let r = self.add(o.mul(Dd(-q, 0.0)));
        two_sum(q, (r.0 + r.1) / o.0)
    }
    fn neg(self) -> Self {
        Dd(-self.0, -self.1)
    }
    /// `e^self` times `2^-k`, and `k`: the Taylor series of `self/2^10 − …`, squared ten times.
    pub fn exp(self) -> (Self, i32) {
        let ln2 = Dd(core::f64::consts::LN_2, 2.3190468138462996e-17);
        let k = (self.0 / ln2.0).round();
        let third = 5.707708438416212e-34 * -k;
        let r = self.add(ln2.mul(Dd(-k, 0.0))).add(Dd(third, 0.0)).mul(Dd(1.0 / 1024.0, 0.0));
        // e^r − 1, so that squaring does not lose what is beside 1.
        let (mut term, mut y) = (r, r);
        for n in 2..12 {
            term = term.mul(r).div(Dd(f64::from(n), 0.0));
            y = y.add(term);
        }
        for _ in 0..10 {
            y = y.mul(y.add(Dd(2.0, 0.0)));
        }
        (y.add(Dd(1.0, 0.0)), k as i32)
    }
    /// `ln(1 + self)` for `self >= 0`.
    fn ln_1p(self) -> Self {
        if self.0 == 0.0 {
            return self;
        }
        if self.0 < 1e-3 {
            // 2 atanh(s / (2 + s)).
            let z = self.div(self.add(Dd(2.0, 0.0)));
            let zz = z.mul(z);
            let mut sum = Dd(0.0, 0.0);
            for n in (0..8).rev() {
                sum = sum.mul(zz).add(Dd(1.0, 0.0).div(Dd(f64::from(2 * n + 1), 0.0)));
            }
            return z.mul(sum).mul(Dd(2.0, 0.0));
        }
        let mut l = Dd(self.0.ln_1p(), 0.0);
        for _ in 0..2 {
            let (e, k) = l.neg().exp();
            let scale = Dd(2.0f64.powi(k), 0.0);
            l = l.add(self.add(Dd(1.0, 0.0)).mul(e).mul(scale).add(Dd(-1.0, 0.0)));
        }
        l
    }
}

/// Sums are kept times 2^LIFT, so that those of subnormal numbers keep their digits.
const LIFT: i32 = 300;

/// A lane's exact results.
pub struct Exact {
    x: Vec<Dd>,
    pub top: f64,
    max: Dd,
    sum: Dd,
    log: Dd,
    /// The sum beside the largest element, times 2^LIFT.
    lifted: Dd,
}

impl Exact {
    /// Of `x · factor`.
    pub fn new<A: Element>(x: &ArrayRef1<A>, factor: f64) -> Self {
        Self::of(x.iter().map(|&x| {
            let (a, p) = (x.to_f64(), x.to_f64() * factor);
            Dd(p, if p.is_finite() { a.mul_add(factor, -p) } else { 0.0 })
        }))
    }

    /// Of `x / divisor`.
    pub fn divided<A: Element>(x: &ArrayRef1<A>, divisor: f64) -> Self {
        Self::of(x.iter().map(|&x| {
            let quotient = x.to_f64() / divisor;
            let rest = (-quotient).mul_add(divisor, x.to_f64()) / divisor;
            Dd(quotient, if quotient.is_finite() { rest } else { 0.0 })
        }))
    }

    fn of(x: impl Iterator<Item = Dd>) -> Self {
        let x: Vec<Dd> = x.collect();
        let at = (0..x.len())
            .max_by(|&a, &b| (x[a].0, x[a].1).partial_cmp(&(x[b].0, x[b].1)).unwrap())
            .unwrap();
        let max = x[at];
        let mut beside = Dd(0.0, 0.0);
        for (i, &value) in x.iter().enumerate() {
            let distance = value.add(max.neg());
            if i != at && distance.0 > -800.0 {
                let (e, k) = distance.exp();
                let k = k + LIFT;
                let half = 2.0f64.powi(k / 2);
                let rest = 2.0f64.powi(k - k / 2);
                beside = beside.add(Dd(e.0 * half * rest, e.1 * half * rest));
            }
        }
        let lifted = beside;
        let lower = 2.0f64.powi(-LIFT);
        let beside = Dd(beside.0 * lower, beside.1 * lower);
        let log = beside.ln_1p();
        Self { x, top: max.0, max, sum: beside.add(Dd(1.0, 0.0)), log, lifted }
    }

    /// The softmax as `(value, exponent)`: `value · 2^exponent`.
    pub fn softmax(&self, i: usize) -> (Dd, i32) {
        let distance = self.x[i].add(self.max.neg());
        if distance.0.is_nan() || distance.0 <= -2000.0 {
            return (Dd(0.0, 0.0), 0);
        }
        let (e, k) = distance.exp();
        (e.div(self.sum), k)
    }

    pub fn log_softmax(&self, i: usize) -> (Dd, i32) {
        if self.x[i].0.is_infinite() {
            return (self.x[i], 0);
        }
        let distance = self.x[i].add(self.max.neg());
        if distance.0 == 0.0 && self.log.0 < 1e-40 {
            // ln(1 + s) is s to more digits than are kept; it may be subnormal.
            return (self.lifted.neg(), -LIFT);
        }
        (distance.add(self.log.neg()), 0)
    }

    pub fn logsumexp(&self) -> (Dd, i32) {
        (self.max.add(self.log), 0)
    }
}

/// `2^k`, also where it is subnormal.
fn power(k: i32) -> f64 {
    2.0f64.powi(k / 2) * 2.0f64.powi(k - k / 2)
}

/// The distance of `got` from the exact value, in units in the last place of the exact value.
pub fn ulp_error<A: Element>(got: A, (exact, k): (Dd, i32)) -> f64 {
    let (digits, least) = if size_of::<A>() == 4 { (24, -149) } else { (53, -1074) };
    let got = got.to_f64();
    if exact.0 == 0.0 || exact.0.is_infinite() {
        return if got == exact.0 { 0.0 } else { f64::INFINITY };
    }
    let exponent = exact.0.abs().log2().floor() as i32 + k;
    let ulp = (exponent - digits + 1).max(least);
    // Both relative to one ULP; the first factor is moved into range before the second.
    let scaled = |v: f64| {
        let shift = -ulp;
        v * power(shift / 2) * power(shift - shift / 2)
    };
    let got = scaled(got);
    let shift = k - ulp;
    let (a, b) = (power(shift / 2), power(shift - shift / 2));
    let exact = Dd(exact.0 * a * b, exact.1 * a * b);
    ((got - exact.0) - exact.1).abs()
}
