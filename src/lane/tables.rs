//! Tables of eight numbers, of which each lane takes one.

use fearless_simd::{Simd, SimdBase, SimdInto, f32x16, f64x8, u32x16, u64x8};

/// A row for each constant of a formula, a column for each piece of its domain; see
/// [`Lane::pick_by_half_octave`](super::Lane::pick_by_half_octave).
#[doc(hidden)]
#[derive(Debug)]
#[repr(align(32))]
pub struct Octaves<const N: usize>(pub(crate) [[f32; 8]; N]);

impl<const N: usize> Octaves<N> {
    /// Some of the rows.
    pub(crate) const fn of(rows: &[[f32; 8]], which: [usize; N]) -> Self {
        let mut some = [[0.0; 8]; N];
        let mut i = 0;
        while i < N {
            some[i] = rows[which[i]];
            i += 1;
        }
        Self(some)
    }
}

/// Eight factors, from about 1 to 2, for the eighths of a power of two; see [`Lane::scale_by_eighths`](super::Lane::scale_by_eighths).
#[doc(hidden)]
#[derive(Debug)]
pub struct Eighths {
    /// The bits of each, less what adding the integer shifted into the exponent puts into the mantissa.
    pub(super) single: Octaves<1>,
    pub(super) double: [u64; 8],
}

impl Eighths {
    /// With `2^offset` in every factor.
    pub(crate) const fn new(factors: [f32; 8], offset: i32) -> Self {
        let (mut single, mut double) = ([0.0; 8], [0; 8]);
        let mut j = 0;
        while j < 8 {
            let bits = factors[j].to_bits().wrapping_add((offset as u32) << 23);
            single[j] = f32::from_bits(bits - ((j as u32) << 20));
            let bits = (factors[j] as f64).to_bits().wrapping_add((offset as u64) << 52);
            double[j] = bits - ((j as u64) << 49);
            j += 1;
        }
        Self { single: Octaves([single]), double }
    }
}

/// For each row the entries that the low three bits of each lane of `index` name.
#[inline(always)]
pub(super) fn pick<S: Simd, const N: usize>(
    index: u32x16<S>,
    table: &'static Octaves<N>,
) -> [f32x16<S>; N] {
    let simd = index.simd;
    #[cfg(target_arch = "x86_64")]
    {
        // The level is known when this is compiled: one of the branches is left in machine code.
        let level = simd.level();
        if let Some(token) = level.as_avx512() {
            let index: u32x16<_> = <[u32; 16]>::from(index).simd_into(token);
            let mut all = [f32x16::splat(simd, 0.0); N];
            for (to, row) in all.iter_mut().zip(&table.0) {
                *to = <[f32; 16]>::from(x86::pick_16(token, index, row)).simd_into(simd);
            }
            return all;
        }
        if let Some(token) = level.as_avx2() {
            let index: u32x16<_> = <[u32; 16]>::from(index).simd_into(token);
            let mut all = [f32x16::splat(simd, 0.0); N];
            for (to, row) in all.iter_mut().zip(&table.0) {
                *to = <[f32; 16]>::from(x86::pick_8_twice(token, index, row)).simd_into(simd);
            }
            return all;
        }
    }
    #[cfg(any(target_arch = "aarch64", target_arch = "wasm32"))]
    if !simd.level().is_fallback() {
        return by_bytes(index, table);
    }
    let index = <[u32; 16]>::from(index & u32x16::splat(simd, 7));
    core::array::from_fn(
        #[inline(always)]
        |i| index.map(|at| table.0[i][at as usize]).simd_into(simd),
    )
}

/// The same where instructions pick bytes of two vectors of four.
#[cfg(any(target_arch = "aarch64", target_arch = "wasm32"))]
#[inline(always)]
fn by_bytes<S: Simd, const N: usize>(
    index: u32x16<S>,
    table: &'static Octaves<N>,
) -> [f32x16<S>; N] {
    use fearless_simd::{Bytes, SimdCombine, SimdSplit, f32x4};

    let simd = index.simd;
    // Four bytes for each index, the lowest first.
    let bytes = (index & u32x16::splat(simd, 7)) * u32x16::splat(simd, 0x0404_0404)
        + u32x16::splat(simd, 0x0302_0100);
    let (low, high) = bytes.split();
    let ((a, b), (c, d)) = (low.split(), high.split());
    let [a, b, c, d] = [a.to_bytes(), b.to_bytes(), c.to_bytes(), d.to_bytes()];
    core::array::from_fn(
        #[inline(always)]
        |i| {
            let row = &table.0[i];
            let (low, high) =
                (f32x4::from_slice(simd, &row[..4]), f32x4::from_slice(simd, &row[4..]));
            let [a, b, c, d] = [a, b, c, d].map(
                #[inline(always)]
                |bytes| low.concat_swizzle_dyn(high, bytes),
            );
            a.combine(b).combine(c.combine(d))
        },
    )
}

/// The same for `f64` lanes; no formula takes it, so it is plain.
#[inline(always)]
pub(super) fn pick_double<S: Simd, const N: usize>(
    index: u64x8<S>,
    table: &'static Octaves<N>,
) -> [f64x8<S>; N] {
    let simd = index.simd;
    let index = <[u64; 8]>::from(index);
    table.0.map(
        #[inline(always)]
        |row| index.map(|at| f64::from(row[(at & 7) as usize])).simd_into(simd),
    )
}

/// The bits of the factors that the low three bits of each lane of `index` name; plain for the same reason.
#[inline(always)]
pub(super) fn pick_factors<S: Simd>(index: u64x8<S>, factors: &'static Eighths) -> u64x8<S> {
    let indices = <[u64; 8]>::from(index);
    indices
        .map(
            #[inline(always)]
            |at| factors.double[(at & 7) as usize],
        )
        .simd_into(index.simd)
}

/// The instructions themselves, which `fearless_simd` has no portable name for. Its macro takes safe functions only, and
/// asks for the token that proves the level.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;

    use fearless_simd::{SimdBase, SimdCombine, SimdInto, SimdSplit, f32x8, f32x16, u32x16};

    fearless_simd::kernel!(
        #[inline(always)]
        pub(super) fn pick_16(
            token: Avx512,
            index: u32x16<fearless_simd::Avx512>,
            row: &[f32; 8],
        ) -> f32x16<fearless_simd::Avx512> {
            let row: __m256 = f32x8::from_slice(token, row).into();
            _mm512_permutexvar_ps(index.into(), _mm512_broadcast_f32x8(row)).simd_into(token)
        }
    );

    fearless_simd::kernel!(
        #[inline(always)]
        pub(super) fn pick_8_twice(
            token: Avx2,
            index: u32x16<fearless_simd::Avx2>,
            row: &[f32; 8],
        ) -> f32x16<fearless_simd::Avx2> {
            let row: __m256 = f32x8::from_slice(token, row).into();
            let (low, high) = index.split();
            let low: f32x8<_> = _mm256_permutevar8x32_ps(row, low.into()).simd_into(token);
            let high: f32x8<_> = _mm256_permutevar8x32_ps(row, high.into()).simd_into(token);
            low.combine(high)
        }
    );
}

#[cfg(test)]
mod tests {
    use super::{Eighths, Octaves};
    use crate::lane::{Kernel, Lane, LaneIo, Level, run, with_level};
    use crate::{Element, lane::Job};
    use fearless_simd::Simd;

    static TABLE: Octaves<3> = Octaves([
        [2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 1.0, 1.5],
        [3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 1.5, 2.0],
        [0.5; 8],
    ]);

    /// A column for each octave.
    static OCTAVES: Octaves<2> = Octaves([
        [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 1.0],
        [4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 2.0],
    ]);
    const FACTORS: [f32; 8] = [0.96875, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.9999999];
    static EIGHTHS: Eighths = Eighths::new(FACTORS, -3);

    /// A question to a vector.
    trait Ask<const N: usize>: Copy {
        fn ask<V: Lane>(self, x: V) -> [V; N];
    }

    #[derive(Clone, Copy)]
    struct HalfOctave;
    impl Ask<3> for HalfOctave {
        #[inline(always)]
        fn ask<V: Lane>(self, x: V) -> [V; 3] {
            x.pick_by_half_octave(&TABLE)
        }
    }
    #[derive(Clone, Copy)]
    struct Octave;
    impl Ask<2> for Octave {
        #[inline(always)]
        fn ask<V: Lane>(self, x: V) -> [V; 2] {
            x.pick_by_octave(&OCTAVES)
        }
    }
    #[derive(Clone, Copy)]
    struct Scale;
    impl Ask<1> for Scale {
        #[inline(always)]
        fn ask<V: Lane>(self, x: V) -> [V; 1] {
            [(x + x.constant(12_582_912.0, 6_755_399_441_055_744.0)).scale_by_eighths(&EIGHTHS)]
        }
    }

    /// What is asked of the first vector of `x`, answer by answer.
    struct Asked<'a, A, F, const N: usize>(&'a [A], F);

    impl<A: Element, F: Ask<N>, const N: usize> Kernel for Asked<'_, A, F, N> {
        type Output = Vec<A>;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<A> {
            let rows = self.1.ask(A::Lanes::<S>::load(simd, self.0));
            let mut out = vec![A::zero(); N * A::WIDTH];
            for (row, out) in rows.into_iter().zip(out.chunks_exact_mut(A::WIDTH)) {
                row.store(out);
            }
            out
        }
    }

    /// For each of the numbers, on every level: the number and the answers.
    fn answers<A: Element, F: Ask<N>, const N: usize>(
        question: F,
        numbers: impl Iterator<Item = f64>,
        check: impl Fn(A, [A; N]),
    ) {
        let numbers: Vec<A> = numbers.map(|x| A::from(x).unwrap()).collect();
        for level in Level::available() {
            for x in numbers.chunks_exact(A::WIDTH) {
                let kernel = Asked::<_, _, N>(x, question);
                let rows = with_level(level, || run(Job::new(), kernel));
                for (i, &x) in x.iter().enumerate() {
                    check(x, core::array::from_fn(|row| rows[row * A::WIDTH + i]));
                }
            }
        }
    }

    fn check<A: Element>() {
        let half = A::from(0.5).unwrap();
        answers(HalfOctave, (0..960).map(|i| 1.0 + f64::from(i) / 64.0), |x: A, [low, high, c]| {
            assert!(low <= x && x < high && c == half, "{x:?} in {low:?}..{high:?}");
        });
        answers(Octave, (0..2040).map(|i| 1.0 + f64::from(i) / 8.0), |x: A, [low, high]| {
            assert!(low <= x && x < high, "{x:?} in {low:?}..{high:?}");
        });
        answers(Scale, (-800..800).map(f64::from), |k: A, [power]| {
            let k = k.to_i32().unwrap();
            let factor = f64::from(FACTORS[k.rem_euclid(8) as usize]);
            let expected = A::from(factor * 2f64.powi(k.div_euclid(8) - 3)).unwrap();
            assert_eq!(power, expected, "k = {k}");
        });
    }

    #[test]
    fn each_lane_takes_its_column_and_factor() {
        check::<f32>();
        check::<f64>();
    }
}
