//! Inputs spaced by bit pattern, so that every exponent is visited, and dense where functions bend.

use super::ulp::Format;

/// SplitMix64: a small generator with fixed sequences (Steele, Lea and Flood, 2014).
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(limit)) >> 64) as u64
    }

    /// In `low..high`.
    pub fn even(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.bits() >> 11) as f64 * 2f64.powi(-53))
    }

    /// A finite number with a random sign, mantissa, and exponent in `low..=high`, in which the
    /// exponent below that of the smallest normal number stands for the subnormal ones.
    pub fn number<A: Format>(&mut self, low: i32, high: i32) -> A {
        let low = low.max(A::MIN_EXPONENT - 1);
        let high = high.min(A::MAX_EXPONENT);
        let exponent = low + self.below((high - low + 1) as u64) as i32;
        let mantissa_bits = A::DIGITS - 1;
        let biased = (exponent - A::MIN_EXPONENT + 1) as u64;
        let width = 8 * size_of::<A>() as i32;
        let mantissa = self.bits() >> (64 - mantissa_bits);
        let sign = (self.bits() & 1) << (width - 1);
        A::from_bits_of(sign | (biased << mantissa_bits) | mantissa)
    }
}

/// The exponents between which activations bend; outside they are constant, linear or cubic.
pub const BENDS: (i32, i32) = (-30, 10);

/// `count` numbers next to `place` on both sides, and those next to `-place`.
pub fn around<A: Format>(place: f64, count: usize, out: &mut Vec<A>) {
    for center in [A::from_f64(place), A::from_f64(-place)] {
        let (mut up, mut down) = (center, center);
        out.push(center);
        for _ in 0..count {
            up = up.up();
            down = down.down();
            out.extend([up, down]);
        }
    }
}

/// Finite inputs: the ends of every binade and `mantissas` numbers inside it, with both signs; as
/// many more in each binade where activations bend as `bends` says; and the neighbourhoods of
/// `places`. Infinities are appended; NaN is not.
pub fn sweep<A: Format>(mantissas: usize, bends: usize, places: &[f64]) -> Vec<A> {
    let mut random = Random(u64::from(A::DIGITS as u32));
    let mut out = Vec::new();
    for exponent in A::MIN_EXPONENT - 1..=A::MAX_EXPONENT {
        let biased = (exponent - A::MIN_EXPONENT + 1) as u64;
        let first = A::from_bits_of(biased << (A::DIGITS - 1));
        let last = A::from_bits_of(((biased + 1) << (A::DIGITS - 1)) - 1);
        for end in [first, first.up(), last.down(), last] {
            out.extend([end, -end]);
        }
        let inside = if (BENDS.0..=BENDS.1).contains(&exponent) { bends } else { mantissas };
        out.extend((0..inside).map(|_| random.number::<A>(exponent, exponent)));
    }
    for &place in places {
        around(place, 40, &mut out);
        // Also a little farther off: within a thousandth.
        for _ in 0..100 {
            let offset = (random.below(2001) as f64 - 1000.0) * 1e-6;
            let x = place * (1.0 + offset);
            out.extend([A::from_f64(x), A::from_f64(-x)]);
        }
    }
    out.retain(|x| x.is_finite());
    out.extend([A::infinity(), A::neg_infinity()]);
    out
}
