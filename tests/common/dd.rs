//! Numbers with about 100 bits and a wide exponent, for references: a double-double mantissa and a
//! power of two beside it, so that neither tiny results nor tiny intermediate values lose digits.

use core::ops::{Add, Div, Mul, Neg, Sub};

/// The unevaluated sum `high + low`, with `|low|` at most half an ULP of `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dd {
    pub high: f64,
    pub low: f64,
}

/// `a + b` for `|a| >= |b|` or `a = 0`.
#[inline(always)]
fn fast_two_sum(a: f64, b: f64) -> Dd {
    let high = a + b;
    Dd { high, low: b - (high - a) }
}

#[inline(always)]
fn two_sum(a: f64, b: f64) -> Dd {
    let high = a + b;
    let part = high - a;
    Dd { high, low: (a - (high - part)) + (b - part) }
}

#[inline(always)]
fn two_product(a: f64, b: f64) -> Dd {
    let high = a * b;
    Dd { high, low: a.mul_add(b, -high) }
}

impl Dd {
    pub const fn pair((high, low): (f64, f64)) -> Self {
        Self { high, low }
    }

    pub const fn new(high: f64) -> Self {
        Self { high, low: 0.0 }
    }

    /// Times a power of two.
    fn scale(self, power: f64) -> Self {
        Self { high: self.high * power, low: self.low * power }
    }

    fn sqrt(self) -> Self {
        // One step of Newton from the rounded root.
        let root = self.high.sqrt();
        let rest = self - two_product(root, root);
        fast_two_sum(root, rest.high / (2.0 * root))
    }
}

impl Add for Dd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let (a, b) = (two_sum(self.high, other.high), two_sum(self.low, other.low));
        let c = fast_two_sum(a.high, a.low + b.high);
        fast_two_sum(c.high, c.low + b.low)
    }
}

impl Neg for Dd {
    type Output = Self;
    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl Sub for Dd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Dd {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let p = two_product(self.high, other.high);
        let low = self.high.mul_add(other.low, self.low * other.high);
        fast_two_sum(p.high, p.low + low)
    }
}

impl Div for Dd {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let a = self.high / other.high;
        let rest = self - other * Dd::new(a);
        let b = rest.high / other.high;
        let rest = rest - other * Dd::new(b);
        let c = rest.high / other.high;
        fast_two_sum(a, b) + Dd::new(c)
    }
}

/// `mantissa · 2^exponent`, the high part of the mantissa in `[1, 2)` in magnitude, or ±0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Real {
    pub mantissa: Dd,
    pub exponent: i32,
}

/// `2^k` for `k` in `-1022..=1023`.
pub fn power_of_two(k: i32) -> f64 {
    assert!((-1022..=1023).contains(&k), "exponent {k} of a normal number");
    f64::from_bits(((k + 1023) as u64) << 52)
}

/// Beyond this many binary places a summand does not count.
const NEGLIGIBLE: i32 = 250;

/// `ln 2` in three parts; the first two have 32 bits, so that their products with small integers
/// are exact. Made by `tools/reference.py`.
const LN2: [f64; 3] = [0.6931471803691238, 1.9082149288430703e-10, 4.275175589747649e-20];

/// `1 / n!` for `n` in `2..=9`; `tools/reference.py`.
const INVERSE_FACTORIALS: [(f64, f64); 8] = [
    (0.5, 0.0),
    (0.16666666666666666, 9.25185853854297e-18),
    (0.041666666666666664, 2.3129646346357427e-18),
    (0.008333333333333333, 1.1564823173178714e-19),
    (0.001388888888888889, -5.300543954373577e-20),
    (0.0001984126984126984, 1.7209558293420705e-22),
    (2.48015873015873e-05, 2.1511947866775882e-23),
    (2.7557319223985893e-06, -1.858393274046472e-22),
];

/// `e^(t) − 1` for `|t| <= ln 2 / 2 + a little`.
fn exp_m1_reduced(t: Dd) -> Dd {
    // e^t − 1 by its series for t / 2⁹ (error 2⁻¹¹⁶ relative), then nine times y ← y (2 + y).
    let t = t.scale(1.0 / 512.0);
    let mut sum = Dd::pair(INVERSE_FACTORIALS[7]);
    for &c in INVERSE_FACTORIALS[..7].iter().rev() {
        sum = sum * t + Dd::pair(c);
    }
    let mut y = t + t * t * sum;
    for _ in 0..9 {
        y = y * (Dd::new(2.0) + y);
    }
    y
}

impl Real {
    pub const ZERO: Self = Self { mantissa: Dd::new(0.0), exponent: 0 };

    pub fn new(x: f64) -> Self {
        assert!(x.is_finite(), "a reference needs a finite number, got {x}");
        let (x, exponent) = if x.abs() < 1e-150 {
            (x * power_of_two(600), -600)
        } else if x.abs() > 1e150 {
            (x * power_of_two(-600), 600)
        } else {
            (x, 0)
        };
        Self::normal(Dd::new(x), exponent)
    }

    pub fn pair(pair: (f64, f64)) -> Self {
        Self::normal(Dd::pair(pair), 0)
    }

    fn normal(mantissa: Dd, exponent: i32) -> Self {
        if mantissa.high == 0.0 {
            return Self { mantissa, exponent: 0 };
        }
        let k = ((mantissa.high.to_bits() >> 52) & 0x7ff) as i32 - 1023;
        Self { mantissa: mantissa.scale(power_of_two(-k)), exponent: exponent + k }
    }

    pub fn is_zero(self) -> bool {
        self.mantissa.high == 0.0
    }

    /// Zeros have a sign too.
    pub fn is_negative(self) -> bool {
        self.mantissa.high.is_sign_negative()
    }

    pub fn abs(self) -> Self {
        if self.is_negative() { -self } else { self }
    }

    /// To within an ULP; for showing, and as a first approximation.
    pub fn approximate(self) -> f64 {
        match self.exponent {
            _ if self.is_zero() => self.mantissa.high,
            1024.. => f64::INFINITY.copysign(self.mantissa.high),
            -1000..=1023 => self.mantissa.high * power_of_two(self.exponent),
            -1100..-1000 => {
                self.mantissa.high * power_of_two(-900) * power_of_two(self.exponent + 900)
            }
            _ => 0.0f64.copysign(self.mantissa.high),
        }
    }

    /// Splits `x = k ln 2 + t`; saturates at `|x| = 2²⁰`, far beyond every format.
    fn reduce(self) -> (i32, Dd) {
        let limit = 1048576f64;
        let x = if self.exponent >= 20 {
            Dd::new(limit.copysign(self.mantissa.high))
        } else if self.exponent < -NEGLIGIBLE {
            // The caller treats numbers this small by themselves.
            Dd::new(0.0)
        } else {
            self.mantissa.scale(power_of_two(self.exponent))
        };
        let k = (x.high * core::f64::consts::LOG2_E).round_ties_even();
        let t = x - Dd::new(k * LN2[0]) - Dd::new(k * LN2[1]) - two_product(k, LN2[2]);
        (k as i32, t)
    }

    pub fn sqrt(self) -> Self {
        if self.is_zero() {
            return self;
        }
        let odd = self.exponent.rem_euclid(2);
        let mantissa = self.mantissa.scale(power_of_two(odd)).sqrt();
        Self::normal(mantissa, (self.exponent - odd) / 2)
    }

    pub fn exp(self) -> Self {
        let (k, t) = self.reduce();
        Self::normal(Dd::new(1.0) + exp_m1_reduced(t), k)
    }

    pub fn exp_m1(self) -> Self {
        if self.exponent < -110 {
            return self + self * self * Self::new(0.5);
        }
        let (k, t) = self.reduce();
        let y = Self::normal(exp_m1_reduced(t), 0);
        if k == 0 {
            return y;
        }
        // (2^k − 1) + 2^k y without cancellation worth a name: here |x| > 0.34.
        let power = Self { mantissa: Dd::new(1.0), exponent: k };
        power - Self::new(1.0) + power * y
    }

    /// For `x > -1`.
    pub fn ln_1p(self) -> Self {
        if self.exponent < -110 {
            return self - self * self * Self::new(0.5);
        }
        if self.exponent > 110 {
            return self.ln();
        }
        // One step of Newton: ln(1 + x) = a + ln(1 + d) with d = (x − (e^a − 1)) / e^a tiny.
        let a = Self::new(self.approximate().ln_1p());
        let d = (self - a.exp_m1()) / a.exp();
        a + (d - d * d * Self::new(0.5))
    }

    /// For large `x`.
    fn ln(self) -> Self {
        let m = Self { mantissa: self.mantissa, exponent: 0 };
        let e = Self::new(f64::from(self.exponent));
        let ln2 = Self::new(LN2[0]) + Self::new(LN2[1]) + Self::new(LN2[2]);
        (m - Self::new(1.0)).ln_1p() + e * ln2
    }

    /// The step of the trapezoidal rule in [`erfc`](Real::erfc); its error is `e^-(π / h)² = 2⁻¹²⁰`.
    const STEP: f64 = 11.0 / 32.0;

    /// The complementary error function.
    ///
    /// Below 1/2 by the series of erf with positive terms. From there on by the trapezoidal rule on
    /// its integral of Gaussian over Lorentzian, with the residue of the pole added (Goodwin 1949;
    /// Chiarella and Reichel 1968), which keeps relative accuracy to the end of the tail.
    pub fn erfc(self) -> Self {
        if self.exponent < -NEGLIGIBLE || self.is_zero() {
            return Self::new(1.0);
        }
        if self.is_negative() {
            return Self::new(2.0) - (-self).erfc();
        }
        if self.exponent < -1 {
            return Self::new(1.0) - self.erf_series();
        }
        if self.exponent >= 10 {
            return (-(self * self)).exp();
        }
        let z = self.mantissa.scale(power_of_two(self.exponent));
        let square = z * z;
        let mut sum = Dd::new(0.5) / square;
        for (n, &weight) in (1..).zip(&GAUSSIANS) {
            let node = f64::from(n) * Self::STEP;
            sum = sum + Dd::pair(weight) / (square + Dd::new(node * node));
        }
        let scale = Self::normal(z, 0) * Self::pair(FRAC_1_PI) * Self::new(2.0 * Self::STEP);
        let body = scale * Self::normal(sum, 0) * (-(self * self)).exp();
        if z.high > core::f64::consts::PI / Self::STEP {
            return body;
        }
        let pole = self * Self::pair(PI) * Self::new(2.0) / Self::new(Self::STEP);
        body - Self::new(2.0) / pole.exp_m1()
    }

    /// `erf(z)` for `0 <= z < 1/2`.
    fn erf_series(self) -> Self {
        if self.exponent < -60 {
            let third = Self::new(1.0) / Self::new(3.0);
            return Self::pair(FRAC_2_SQRT_PI) * (self - self * self * self * third);
        }
        let z = self.mantissa.scale(power_of_two(self.exponent));
        let twice_square = (z * z).scale(2.0);
        let (mut term, mut sum) = (z, z);
        for n in 1..40 {
            term = term * twice_square / Dd::new(f64::from(2 * n + 1));
            sum = sum + term;
            if term.high < sum.high * 1e-34 {
                break;
            }
        }
        Self::pair(FRAC_2_SQRT_PI) * Self::normal(sum, 0) * (-(self * self)).exp()
    }

    pub fn tanh(self) -> Self {
        let m = (self.abs() * Self::new(-2.0)).exp_m1();
        let y = -m / (Self::new(2.0) + m);
        if self.is_negative() { -y } else { y }
    }
}

const PI: (f64, f64) = (core::f64::consts::PI, 1.2246467991473532e-16);
const FRAC_1_PI: (f64, f64) = (core::f64::consts::FRAC_1_PI, -1.9678676675182486e-17);
const FRAC_2_SQRT_PI: (f64, f64) = (core::f64::consts::FRAC_2_SQRT_PI, 1.533545961316588e-17);

/// `e^-(n h)²` for `n` from 1 and the step `h` of [`Real::erfc`]; `tools/reference.py`.
#[rustfmt::skip]
const GAUSSIANS: [(f64, f64); 25] = [
    (0.8885502628781267, -4.9688715996993014e-17),
    (0.6233443089596343, 4.2848890949542706e-17),
    (0.34525342634454376, 1.6418297616988595e-17),
    (0.1509774184559146, -4.182247046592897e-18),
    (0.052125471022558476, 2.804836071469813e-18),
    (0.014208622931196246, -2.8490142833506133e-19),
    (0.003057862726327566, -6.508833523436454e-20),
    (0.0005195746821548384, 3.7249016762197856e-20),
    (6.970147610116654e-05, -4.9176521616024644e-21),
    (7.382440743334239e-06, -4.127026870234954e-22),
    (6.173365113169632e-07, -1.0129472340794103e-23),
    (4.075753933568295e-08, -7.240487456030506e-25),
    (2.1245059355929288e-09, 1.7296802180401218e-25),
    (8.743230754733761e-11, -4.534401972127383e-27),
    (2.84086065394846e-12, 1.1628225051523641e-28),
    (7.287724095819692e-14, 2.3339070041631973e-30),
    (1.4760392713214577e-15, -4.670136663904017e-32),
    (2.3603037795421644e-17, 1.7893780993249102e-34),
    (2.9799013751633327e-19, 2.144433239475901e-35),
    (2.970297015029756e-21, -9.722187117789858e-38),
    (2.3375551520518643e-23, 1.38662117297173e-40),
    (1.4524053946493149e-25, -4.9616316617473e-42),
    (7.124884684080461e-28, 2.599603369696523e-44),
    (2.759509067522042e-30, -1.1784304449261855e-46),
    (8.438199920538591e-33, -6.7469016997647165e-49),
];

impl Add for Real {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        if self.is_zero() && other.is_zero() {
            return Self {
                mantissa: Dd::new(self.mantissa.high + other.mantissa.high),
                exponent: 0,
            };
        }
        if other.is_zero() {
            return self;
        }
        if self.is_zero() {
            return other;
        }
        let (a, b) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let shift = a.exponent - b.exponent;
        if shift > NEGLIGIBLE {
            return a;
        }
        Self::normal(a.mantissa + b.mantissa.scale(power_of_two(-shift)), a.exponent)
    }
}

impl Neg for Real {
    type Output = Self;
    fn neg(self) -> Self {
        Self { mantissa: -self.mantissa, exponent: self.exponent }
    }
}

impl Sub for Real {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Real {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self::normal(self.mantissa * other.mantissa, self.exponent + other.exponent)
    }
}

impl Div for Real {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        assert!(!other.is_zero(), "a reference divides by zero");
        Self::normal(self.mantissa / other.mantissa, self.exponent - other.exponent)
    }
}
