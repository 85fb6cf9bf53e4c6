//! The two projections onto the simplex that are not smooth: hardmax and sparsemax.

use crate::element::Element;

/// 1 at the first largest element, 0 elsewhere; all NaN where one is NaN.
pub(crate) fn hardmax<A: Element>(x: &[A], out: &mut [A]) {
    let mut best = 0;
    for (i, &value) in x.iter().enumerate() {
        if value.is_nan() {
            return out.fill(A::nan());
        }
        if value > x[best] {
            best = i;
        }
    }
    out.fill(A::zero());
    if let Some(one) = out.get_mut(best) {
        *one = A::one();
    }
}

/// `max(x − τ, 0)` with `τ` such that the sum is 1 (Martins and Astudillo, 2016).
///
/// Elements more than 1 below the maximum are certainly outside of the support, so only the others
/// are sorted. Sums are in double precision, of distances to the maximum, so no offset of the
/// input costs digits.
pub(crate) fn sparsemax<A: Element>(x: &[A], out: &mut [A]) {
    let mut max = A::neg_infinity();
    for &value in x {
        if value.is_nan() {
            return out.fill(A::nan());
        }
        if value > max {
            max = value;
        }
    }
    if !max.is_finite() {
        return out.fill(A::nan());
    }
    let max = max.to_f64();
    let distance = |value: A| value.to_f64() - max;
    let mut support: Vec<f64> =
        x.iter().map(|&value| distance(value)).filter(|&d| d > -1.0).collect();
    support.sort_unstable_by(|a, b| b.total_cmp(a));
    // τ of the largest k for which the k-th element is above it.
    let (mut sum, mut threshold) = (0.0, -1.0);
    for (k, &d) in support.iter().enumerate() {
        sum += d;
        let next = (sum - 1.0) / (k + 1) as f64;
        if d <= next {
            break;
        }
        threshold = next;
    }
    for (out, &value) in out.iter_mut().zip(x) {
        *out = A::from_f64((distance(value) - threshold).max(0.0));
    }
}
