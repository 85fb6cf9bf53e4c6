//! Compensated sums.

/// A sum whose rounding errors are added up beside it.
///
/// The error of an addition is exact (Knuth's two-sum), so the result is as if the sum had been
/// made in twice the precision.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    #[inline(always)]
    pub(super) fn add(&mut self, value: f64) {
        let sum = self.high + value;
        let part = sum - self.high;
        self.low += (self.high - (sum - part)) + (value - part);
        self.high = sum;
    }

    /// The sum; the errors of infinite sums mean nothing.
    pub(super) fn total(self) -> f64 {
        if self.high.is_finite() { self.high + self.low } else { self.high }
    }
}

impl Extend<f64> for Sum {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.add(value));
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = Self::default();
        sum.extend(values);
        sum
    }
}

/// Sums that run side by side in [`Sums`], so that one addition does not wait for another.
const WAYS: usize = 8;

/// A sum of many values: value `i` goes to sum `i mod 8`, and these are added in order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    sums: [Sum; WAYS],
}

impl Sums {
    /// Of `f` of each pair of elements, in slices of one length.
    pub(super) fn of_slices<A: Copy>(x: &[A], y: &[A], f: impl Fn(A, A) -> f64) -> f64 {
        let mut this = Self::default();
        let (mut xs, mut ys) = (x.chunks_exact(WAYS), y.chunks_exact(WAYS));
        for (x, y) in xs.by_ref().zip(ys.by_ref()) {
            for ((sum, &x), &y) in this.sums.iter_mut().zip(x).zip(y) {
                sum.add(f(x, y));
            }
        }
        for ((sum, &x), &y) in this.sums.iter_mut().zip(xs.remainder()).zip(ys.remainder()) {
            sum.add(f(x, y));
        }
        this.total()
    }

    /// Of any values; the same bits as [`of_slices`](Self::of_slices) for the same values.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> f64 {
        let mut this = Self::default();
        values.enumerate().for_each(|(index, value)| this.sums[index % WAYS].add(value));
        this.total()
    }

    fn total(self) -> f64 {
        let mut total = Sum::default();
        total.extend(self.sums.iter().map(|sum| sum.high));
        if total.high.is_finite() {
            total.extend(self.sums.iter().map(|sum| sum.low));
        }
        total.total()
    }
}

#[cfg(test)]
mod tests {
    use super::{Sum, Sums};

    #[test]
    fn a_sum_keeps_what_cancels() {
        let values = [1.0, 1e100, 1.0, -1e100];
        assert_eq!(Sum::from_iter(values).total(), 2.0);
        assert_eq!(Sums::of(values.into_iter()), 2.0);
    }

    #[test]
    fn an_infinite_value_makes_an_infinite_sum_and_not_nan() {
        let values = [1.0, f64::INFINITY, 2.0];
        assert_eq!(Sum::from_iter(values).total(), f64::INFINITY);
        assert_eq!(Sums::of(values.into_iter()), f64::INFINITY);
    }

    #[test]
    fn slices_and_iterators_give_the_same_bits() {
        let x: Vec<f64> = (0..1003).map(|i| (i as f64 * 0.7).sin() * 1e3).collect();
        let y: Vec<f64> = x.iter().map(|x| x * x).collect();
        let of_slices = Sums::of_slices(&x, &y, |x, y| x - y);
        let of_values = Sums::of(x.iter().zip(&y).map(|(x, y)| x - y));
        assert_eq!(of_slices.to_bits(), of_values.to_bits());
    }
}
