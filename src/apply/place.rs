//! Where a loop reads and writes, and what it reads ahead.

use fearless_simd::Simd;

use super::panels::LINE;
use crate::element::Element;
use crate::lane::{Job, LaneIo};

/// Bytes of an array from which on [`fetch`] pays, about what the first-level cache holds.
const FAR_OFF: usize = 32 << 10;
/// The same in place and where results go by way of a block: there [`fetch`] costs up to 7 % in the second-level cache.
const FAR_OFF_IN_PLACE: usize = 512 << 10;
/// Bytes of an output from which on memory holds up what takes little time.
const FROM_MEMORY: usize = 32 << 20;
/// Cache lines that are fetched together.
pub(super) const LINES: usize = 8;

/// The input and the output of a loop.
///
/// Into a buffer and in place are one loop in machine code: only the address that vectors are read from differs.
pub(super) struct Place<'a, A> {
    /// As long as `out`; none in place.
    pub(super) x: Option<&'a [A]>,
    /// What [`Place::fetch`] reads from: `x` and what comes behind it, or nothing. In place that is `out`.
    pub(super) ahead: &'a [A],
    pub(super) out: &'a mut [A],
}

impl<A: Element> Place<'_, A> {
    /// What is read, which is written to later where it is the output.
    #[inline(always)]
    pub(super) fn input(&self) -> &[A] {
        match self.x {
            Some(x) => x,
            None => self.out,
        }
    }

    #[inline(always)]
    pub(super) fn load<S: Simd>(&self, simd: S, at: usize) -> A::Lanes<S> {
        A::Lanes::<S>::load(simd, &self.input()[at..at + A::WIDTH])
    }

    #[inline(always)]
    pub(super) fn store<S: Simd>(&mut self, at: usize, y: A::Lanes<S>) {
        y.store(&mut self.out[at..at + A::WIDTH]);
    }

    /// Whether it is worth reading ahead.
    #[inline(always)]
    pub(super) fn is_far_off(&self) -> bool {
        match self.x {
            Some(_) => !self.ahead.is_empty(),
            None => is_far_off_in_place(self.out),
        }
    }

    /// [`fetch`] from what is read.
    #[inline(always)]
    pub(super) fn fetch(&self, at: usize) {
        fetch(if self.x.is_some() { self.ahead } else { self.out }, at);
    }
}

/// Whether the processor is one of AMD: SSE4a is theirs alone.
#[inline]
pub(crate) fn is_of_amd() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("sse4a");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Whether the processor may wait for memory in loops that take long for a line. AMD's fetch such lines ahead by
/// themselves, and [`fetch`] and [`claim`] take up to a third of the time there.
#[inline]
fn may_wait() -> bool {
    cfg!(target_arch = "x86_64") && !is_of_amd()
}

/// The job for a cheap operation into an output of so many elements, beyond the first-level cache. There AMD's processors take
/// up to 10 % less time where plain operations, as relu and leaky_relu, store a line in two pieces instead of one, and beyond
/// all caches 5 to 17 % less in four; Intel's take more in four, and two were not measured. Vectors of a quarter of a line have
/// no fused multiply-add: only for plain operations, which do without.
#[inline]
pub(crate) fn beyond_cache<A>(job: Job, len: usize, is_plain: bool) -> Job {
    let is_in_memory = size_of::<A>() * len >= FROM_MEMORY;
    if !(is_plain || is_in_memory) || !is_of_amd() {
        return job;
    }
    if is_plain && is_in_memory { job.slimmest() } else { job.narrowed() }
}

/// Itself, if it is so large that it is worth [`fetch`].
#[inline(always)]
pub(super) fn if_far_off<A>(x: &[A]) -> &[A] {
    if size_of_val(x) >= FAR_OFF && may_wait() { x } else { &[] }
}

/// The same in place and where results go by way of a block.
#[inline(always)]
pub(super) fn is_far_off_in_place<A>(x: &[A]) -> bool {
    size_of_val(x) >= FAR_OFF_IN_PLACE && may_wait()
}

/// Reads from each of the next cache lines, so that they come at the same time: some processors do not fetch ahead of loops
/// that take long for a line.
#[inline(always)]
pub(super) fn fetch<A: Element>(x: &[A], at: usize) {
    let line = LINE / size_of::<A>();
    if let Some(lines) = x.get(at..at + LINES * line) {
        for line in lines.chunks_exact(line) {
            core::hint::black_box(line[0]);
        }
    }
}

/// Writes to each of the next cache lines of an output that is overwritten anyway, so that they come at the same time.
/// Reading them would do as well, but twice the page faults of memory that was never touched: the first reads of a page get
/// one that all share.
#[inline(always)]
pub(super) fn claim<A: Element>(out: &mut [A], at: usize) {
    let line = LINE / size_of::<A>();
    if let Some(lines) = out.get_mut(at..at + LINES * line) {
        for line in lines.chunks_exact_mut(line) {
            *core::hint::black_box(&mut line[0]) = A::zero();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FROM_MEMORY, beyond_cache, is_of_amd};
    use crate::activation::{Elementwise, Elu, Gelu, LeakyRelu, Mish, Sigmoid};
    use crate::apply::{Eval, Op};
    use crate::element::Element;
    use crate::lane::Job;

    /// On every machine, also where nothing is read ahead by itself.
    fn check<A: Element>(op: impl Elementwise) {
        let x: Vec<A> = (0..5000).map(|i| A::from_f64(f64::from(i) / 500.0 - 5.0)).collect();
        for len in [16, 17, 100, 1000, 1024, 1040, 4321] {
            for from in [0, 1, 7] {
                let (mut alone, mut ahead) = (vec![A::zero(); len], vec![A::zero(); len]);
                let part = &x[from..from + len];
                Eval(op).assign_ahead(Job::new(), part, &[], &mut alone);
                Eval(op).assign_ahead(Job::new(), part, &x[from..], &mut ahead);
                assert!(alone == ahead, "{len} elements from {from} on");
            }
        }
    }

    #[test]
    fn reading_ahead_changes_no_result() {
        check::<f32>(Elu::default());
        check::<f32>(Gelu);
        check::<f32>(Mish);
        check::<f32>(Sigmoid);
        check::<f64>(Gelu);
        check::<f64>(Sigmoid);
    }

    #[test]
    fn narrower_vectors_are_for_plain_operations_and_large_outputs_and_change_no_result() {
        let (job, large) = (Job::new(), FROM_MEMORY / size_of::<f32>());
        assert!(!job.narrowed().is_widest());
        for is_plain in [false, true] {
            let wide = job.is_widest();
            assert_eq!(
                beyond_cache::<f32>(job, large - 1, is_plain).is_widest(),
                wide && !(is_plain && is_of_amd())
            );
            assert_eq!(beyond_cache::<f32>(job, large, is_plain).is_widest(), wide && !is_of_amd());
        }
        // All that a slope below, at and above zero may make of numbers that end as zeros.
        let hard = [
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            0.0,
            -0.0,
            1e-45,
            -1e-45,
            -3e-44,
            f32::MAX,
        ];
        let x: Vec<f32> =
            (0..1000).map(|i| if i < 900 { i as f32 / 100.0 - 5.0 } else { hard[i % 9] }).collect();
        let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
        for slope in [0.01, 1.0, 1e-40, 1e-50, 0.0, -0.5, 3.0] {
            let op = Eval(LeakyRelu::new(slope));
            let (mut wide, mut other) = (vec![0.0; 1000], vec![0.0; 1000]);
            op.assign(job, &x, &mut wide);
            for job in [job.narrowed(), job.slimmest()] {
                op.assign(job, &x, &mut other);
                assert_eq!(bits(&wide), bits(&other), "slope {slope}");
            }
            for (x, &y) in x.iter().zip(&wide) {
                let expected = if *x > 0.0 { *x } else { slope as f32 * x };
                let same_sign = y.is_sign_negative() == expected.is_sign_negative();
                assert!(same_sign || *x >= 0.0 || y.is_nan(), "slope {slope}: {x}: {y}");
                assert!(
                    y == expected || y.is_nan() && expected.is_nan(),
                    "slope {slope}: {x}: {y}"
                );
            }
        }
    }
}
