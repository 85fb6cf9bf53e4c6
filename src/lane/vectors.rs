//! Both vector types, one macro for the two.

use core::ops::{Add, Div, Mul, Neg, Sub};

use fearless_simd::prelude::*;
use fearless_simd::{f32x4, f32x8, f32x16, f64x4, f64x8, mask32x16, mask64x8, u32x16, u64x8};

use super::{DoubleKernel, Eighths, Lane, LaneIo, Mask, Octaves, SQUARE, sealed, tables};

/// Its levels differ in the size of a native vector.
const IS_X86: bool = cfg!(any(target_arch = "x86", target_arch = "x86_64"));

macro_rules! mask {
    ($name:ident, $inner:ident) => {
        impl<S: Simd> Mask for $inner<S> {
            #[inline(always)]
            fn any(self) -> bool {
                self.any_true()
            }
            #[inline(always)]
            fn all(self) -> bool {
                self.all_true()
            }
        }
    };
}

macro_rules! operator {
    ($name:ident, $elem:ident, $trait:ident, $method:ident, $op:tt) => {
        impl<S: Simd> $trait for $name<S> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0 $op other.0)
            }
        }
        impl<S: Simd> $trait<f64> for $name<S> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: f64) -> Self {
                Self(self.0 $op other as $elem)
            }
        }
    };
}

macro_rules! lanes {
    (
        $(#[$doc:meta])*
        $name:ident, $inner:ident, $mask:ident, $elem:ident, $bits:ident, $indices:ident, $width:literal,
        mantissa $mantissa:literal, bias $bias:literal, sqrt_half $sqrt_half:literal,
        constant |$single:ident, $double:ident| $constant:expr,
        table |$n:ident, $m:ident| $table:expr,
        pick |$index:ident, $rows:ident| $pick:expr,
        factor |$number:ident, $factors:ident| $factor:expr,
        single $is_single:literal,
        double $double_name:ident |$x:ident, $kernel:ident| $through:expr,
        ends |$simd:ident, $from:ident| $ends:expr,
        four $four:ident,
        widen |$wide:ident| $widen:expr,
        narrow |$low:ident, $high:ident| $narrow:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        #[repr(transparent)]
        pub struct $name<S: Simd>(pub(crate) $inner<S>);

        mask!($name, $mask);
        operator!($name, $elem, Add, add, +);
        operator!($name, $elem, Sub, sub, -);
        operator!($name, $elem, Mul, mul, *);
        operator!($name, $elem, Div, div, /);

        impl<S: Simd> Neg for $name<S> {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }

        impl<S: Simd> sealed::Sealed for $name<S> {}

        impl<S: Simd> $name<S> {
            /// Known when this is compiled: the branch is gone in machine code.
            #[inline(always)]
            fn has_x86_max(self) -> bool {
                cfg!(target_arch = "x86_64") || IS_X86 && !self.0.simd.level().is_fallback()
            }

            /// A fused multiply-add of some hundred instructions: called, so that formulas stay small.
            #[inline(never)]
            fn emulated_mul_add(self, a: Self, b: Self) -> Self {
                self.0.simd.vectorize(
                    #[inline(always)]
                    || Self(self.0.mul_add_precise(a.0, b.0)),
                )
            }

            #[inline(always)]
            fn all(self, value: $elem) -> $inner<S> {
                $inner::splat(self.0.simd, value)
            }

            #[inline(always)]
            fn pick<const N: usize>($index: $indices<S>, $rows: &'static Octaves<N>) -> [Self; N] {
                let picked = $pick;
                // By a loop: `map` of an array is sometimes a call.
                let mut all = [Self($inner::splat($index.simd, 0.0)); N];
                for (to, picked) in all.iter_mut().zip(picked) {
                    *to = Self(picked);
                }
                all
            }
        }

        impl<S: Simd> Lane for $name<S> {
            type Elem = $elem;
            type Mask = $mask<S>;
            type Double = $double_name<S>;
            const SINGLE: bool = $is_single;
            // On x86 with AVX-512: 32 registers, each a whole vector.
            const HAS_ROOM: bool = IS_X86 && size_of::<S::f32s>() == 64;
            // On x86 with AVX2 at least.
            const IS_FUSED: bool = cfg!(target_arch = "aarch64") || IS_X86 && size_of::<S::f32s>() > 16;

            #[inline(always)]
            fn splat(self, value: f64) -> Self {
                Self(self.all(value as $elem))
            }
            #[inline(always)]
            fn constant(self, $single: f32, $double: f64) -> Self {
                Self(self.all($constant))
            }

            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                if Self::IS_FUSED {
                    Self(self.0.mul_add_precise(a.0, b.0))
                } else {
                    self.emulated_mul_add(a, b)
                }
            }
            #[inline(always)]
            fn mul_sub(self, a: Self, b: Self) -> Self {
                if Self::IS_FUSED {
                    Self(self.0.mul_sub_precise(a.0, b.0))
                } else {
                    self.emulated_mul_add(a, -b)
                }
            }
            #[inline(always)]
            fn neg_mul_add(self, a: Self, b: Self) -> Self {
                if Self::IS_FUSED {
                    Self((-self.0).mul_add_precise(a.0, b.0))
                } else {
                    (-self).emulated_mul_add(a, b)
                }
            }

            #[inline(always)]
            fn abs(self) -> Self {
                Self(self.0.abs())
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                Self(self.0.copysign(sign.0))
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(self.0.sqrt())
            }
            #[inline(always)]
            fn round(self) -> Self {
                Self(self.0.round_ties_even())
            }

            #[inline(always)]
            fn at_least(self, bound: Self) -> Self {
                // x86 `max(a, b)` is `a > b ? a : b`, the very thing; elsewhere NaN and zeros differ.
                if self.has_x86_max() {
                    Self(bound.0.max(self.0))
                } else {
                    Self(bound.0.simd_gt(self.0).select(bound.0, self.0))
                }
            }
            #[inline(always)]
            fn at_most(self, bound: Self) -> Self {
                if self.has_x86_max() {
                    Self(bound.0.min(self.0))
                } else {
                    Self(bound.0.simd_lt(self.0).select(bound.0, self.0))
                }
            }

            #[inline(always)]
            fn lt(self, other: Self) -> Self::Mask {
                self.0.simd_lt(other.0)
            }
            #[inline(always)]
            fn le(self, other: Self) -> Self::Mask {
                self.0.simd_le(other.0)
            }
            #[inline(always)]
            fn gt(self, other: Self) -> Self::Mask {
                self.0.simd_gt(other.0)
            }
            #[inline(always)]
            fn ge(self, other: Self) -> Self::Mask {
                self.0.simd_ge(other.0)
            }
            #[inline(always)]
            fn eq(self, other: Self) -> Self::Mask {
                self.0.simd_eq(other.0)
            }
            #[inline(always)]
            fn is_nan(self) -> Self::Mask {
                self.0.is_nan()
            }
            #[inline(always)]
            fn select(mask: Self::Mask, if_true: Self, if_false: Self) -> Self {
                Self(mask.select(if_true.0, if_false.0))
            }

            #[inline(always)]
            fn split_scale(self, scale: Self, offset: i32) -> (Self, Self) {
                self.split_scale_by(scale, self.splat(f64::from(offset)))
            }
            #[inline(always)]
            fn split_scale_by(self, scale: Self, offset: Self) -> (Self, Self) {
                // 1.5 · 2^mantissa keeps the sign out of the low bits.
                let magic = offset.0 + ((3u64 << ($mantissa - 1)) as $elem + $bias as $elem);
                let shifted = self.mul_add(scale, Self(magic)).0;
                let bits = shifted.to_bits() << $mantissa;
                (Self(shifted - magic), Self($inner::from_bits(bits)))
            }
            #[inline(always)]
            fn exp2_integer(self) -> Self {
                let magic = self.all((3u64 << ($mantissa - 1)) as $elem + $bias as $elem);
                Self($inner::from_bits((self.0 + magic).to_bits() << $mantissa))
            }
            #[inline(always)]
            fn split_exponent(self) -> (Self, Self) {
                let bits = self.0.to_bits();
                // Biased exponent of x / √½, so that the mantissa is centred on 1.
                let biased = (bits - $sqrt_half as $bits + ((($bias + 1) as $bits) << $mantissa))
                    >> $mantissa;
                // The integer, written behind the leading bit of 2^mantissa, read as a float.
                let one = ((($mantissa + $bias) as $bits) << $mantissa) as $bits;
                let k = $inner::from_bits(biased | one)
                    - (2.0 as $elem).powi($mantissa)
                    - ($bias + 1) as $elem;
                let shift = (bits - $sqrt_half as $bits) & (<$bits>::MAX << $mantissa);
                (Self($inner::from_bits(bits - shift)), Self(k))
            }

            #[inline(always)]
            fn poly<const N: usize, const M: usize>(
                self,
                $n: &[f32; N],
                $m: &[f64; M],
            ) -> Self {
                let table = $table;
                let mut sum = Self(self.all(table[table.len() - 1]));
                for &coefficient in table[..table.len() - 1].iter().rev() {
                    sum = sum.mul_add(self, Self(self.all(coefficient)));
                }
                sum
            }

            #[inline(always)]
            fn row(self, $n: &[f32; 16], $m: &[f64; 8]) -> Self {
                Self($inner::from_slice(self.0.simd, $table))
            }

            #[inline(always)]
            fn pick_by_half_octave<const N: usize>(
                self,
                table: &'static Octaves<N>,
            ) -> [Self; N] {
                // The lowest bits of the exponent, then the leading bit of the mantissa.
                Self::pick(self.0.to_bits() >> ($mantissa - 1), table)
            }
            #[inline(always)]
            fn pick_by_octave<const N: usize>(self, table: &'static Octaves<N>) -> [Self; N] {
                Self::pick(self.0.to_bits() >> $mantissa, table)
            }
            #[inline(always)]
            fn scale_by_eighths(self, $factors: &'static Eighths) -> Self {
                let $number = self.0.to_bits();
                let factor = $factor;
                Self($inner::from_bits(($number << ($mantissa - 3)) + factor))
            }

            #[inline(always)]
            fn through_double<K: DoubleKernel>(self, $kernel: K) -> Self {
                let $x = self;
                $through
            }
        }

        impl<S: Simd> LaneIo<S> for $name<S> {
            const WIDTH: usize = $width;
            #[inline(always)]
            fn load(simd: S, from: &[$elem]) -> Self {
                Self($inner::from_slice(simd, from))
            }
            #[inline(always)]
            fn load_ends($simd: S, $from: &[$elem]) -> Self {
                Self($ends)
            }
            #[inline(always)]
            fn turn(simd: S, from: &[$elem], step: usize, to: &mut [$elem], to_step: usize) {
                // Not by `map`, which becomes a call where this is used twice.
                let a = $four::from_slice(simd, &from[..SQUARE]);
                let b = $four::from_slice(simd, &from[step..][..SQUARE]);
                let c = $four::from_slice(simd, &from[2 * step..][..SQUARE]);
                let d = $four::from_slice(simd, &from[3 * step..][..SQUARE]);
                let (ac, bd) = (a.zip_low(c), b.zip_low(d));
                let (ac_high, bd_high) = (a.zip_high(c), b.zip_high(d));
                ac.zip_low(bd).store_slice(&mut to[..SQUARE]);
                ac.zip_high(bd).store_slice(&mut to[to_step..][..SQUARE]);
                ac_high.zip_low(bd_high).store_slice(&mut to[2 * to_step..][..SQUARE]);
                ac_high.zip_high(bd_high).store_slice(&mut to[3 * to_step..][..SQUARE]);
            }
            #[inline(always)]
            fn zip(self, other: Self) -> (Self, Self) {
                (Self(self.0.zip_low(other.0)), Self(self.0.zip_high(other.0)))
            }
            #[inline(always)]
            fn store(self, to: &mut [$elem]) {
                self.0.store_slice(to);
            }
            #[inline(always)]
            fn largest(self) -> $elem {
                self.0.reduce_max()
            }
            #[inline(always)]
            fn fill(simd: S, value: $elem) -> Self {
                Self($inner::splat(simd, value))
            }
            #[inline(always)]
            fn widen(self) -> (Doubles<S>, Doubles<S>) {
                let $wide = self;
                $widen
            }
            #[inline(always)]
            fn narrow($low: Doubles<S>, $high: Doubles<S>) -> Self {
                $narrow
            }
        }
    };
}

lanes! {
    /// Sixteen `f32` lanes.
    Singles, f32x16, mask32x16, f32, u32, u32x16, 16,
    mantissa 23, bias 127, sqrt_half 0x3f35_04f3,
    constant |single, _double| single,
    table |single, _double| single,
    pick |index, rows| tables::pick(index, rows),
    factor |number, factors| tables::pick(number, &factors.single)[0].to_bits(),
    single true,
    double Doubles |x, kernel| {
        let (low, high) = x.0.widen();
        let (low, high) = if Self::IS_FUSED {
            (kernel.call(Doubles(low)), kernel.call(Doubles(high)))
        } else {
            (called(kernel, Doubles(low)), called(kernel, Doubles(high)))
        };
        Self(low.0.narrow(high.0))
    },
    ends |simd, from| {
        let last = from.len();
        if last >= 8 {
            f32x8::from_slice(simd, &from[..8])
                .combine(f32x8::from_slice(simd, &from[last - 8..]))
        } else {
            let four = if last >= 4 {
                f32x4::from_slice(simd, &from[..4])
                    .combine(f32x4::from_slice(simd, &from[last - 4..]))
            } else {
                let two = last - last / 2;
                let four: f32x4<S> =
                    [from[0], from[last / 2], from[two - 1], from[last - 1]].simd_into(simd);
                four.combine(four)
            };
            four.combine(four)
        }
    },
    four f32x4,
    widen |x| {
        let (low, high) = x.0.widen();
        (Doubles(low), Doubles(high))
    },
    narrow |low, high| Self(low.0.narrow(high.0))
}

lanes! {
    /// Eight `f64` lanes.
    Doubles, f64x8, mask64x8, f64, u64, u64x8, 8,
    mantissa 52, bias 1023, sqrt_half 0x3fe6_a09e_667f_3bcd,
    constant |_single, double| double,
    table |_single, double| double,
    pick |index, rows| tables::pick_double(index, rows),
    factor |number, factors| tables::pick_factors(number, factors),
    single false,
    double Doubles |x, kernel| kernel.call(x),
    ends |simd, from| {
        let last = from.len();
        if last >= 4 {
            f64x4::from_slice(simd, &from[..4])
                .combine(f64x4::from_slice(simd, &from[last - 4..]))
        } else {
            let two = last - last / 2;
            let four: f64x4<S> =
                [from[0], from[last / 2], from[two - 1], from[last - 1]].simd_into(simd);
            four.combine(four)
        }
    },
    four f64x4,
    widen |x| (x, x.splat(0.0)),
    narrow |low, _high| low
}

/// A formula of emulated steps as a function of its own, which is there once and not for each half of a vector.
#[inline(never)]
fn called<S: Simd, K: DoubleKernel>(kernel: K, x: Doubles<S>) -> Doubles<S> {
    x.0.simd.vectorize(
        #[inline(always)]
        || kernel.call(x),
    )
}
