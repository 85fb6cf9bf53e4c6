//! Which SIMD instructions a call uses.

use core::cell::Cell;

use fearless_simd::Simd;

/// A set of SIMD instructions.
///
/// Every level gives the same bits; a test or a curious user can pick a lower one with
/// [`with_level`].
///
/// ```
/// use ndarray::array;
/// use ndarray_activations::{Level, prelude::*, with_level};
/// let x = array![-1.0f32, 0.5, 3.0];
/// let best = x.sigmoid();
/// for level in Level::available() {
///     assert_eq!(with_level(level, || x.sigmoid()), best);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// One lane at a time; only on targets that have no SIMD.
    Scalar,
    /// x86 SSE2.
    Sse2,
    /// x86 SSE4.2.
    Sse42,
    /// x86 AVX2 with FMA.
    Avx2,
    /// x86 AVX-512 as in Ice Lake.
    Avx512,
    /// 64-bit Arm NEON.
    Neon,
    /// WebAssembly SIMD128.
    Wasm,
}

const ALL: [Level; 7] = [
    Level::Scalar,
    Level::Sse2,
    Level::Sse42,
    Level::Avx2,
    Level::Avx512,
    Level::Neon,
    Level::Wasm,
];

impl Level {
    /// The best level of this machine.
    pub fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::Scalar)
    }

    /// The levels that this machine can run, slowest first.
    pub fn available() -> Vec<Self> {
        ALL.into_iter().filter(|level| level.token().is_some()).collect()
    }

    /// Proof that the machine has the level.
    fn token(self) -> Option<Token> {
        match self {
            #[cfg(not(any(
                all(target_arch = "aarch64", target_feature = "neon"),
                all(
                    any(target_arch = "x86", target_arch = "x86_64"),
                    target_feature = "sse2",
                    target_feature = "fxsr"
                ),
                all(target_arch = "wasm32", target_feature = "simd128")
            )))]
            Self::Scalar => Some(Token::baseline()),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Sse2 => Token::new().as_sse2().map(Token::Sse2),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Sse42 => Token::new().as_sse4_2().map(Token::Sse4_2),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx2 => Token::new().as_avx2().map(Token::Avx2),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx512 => Token::new().as_avx512().map(Token::Avx512),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Token::new().as_neon().map(Token::Neon),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Wasm => Some(Token::new()),
            _ => None,
        }
    }
}

type Token = fearless_simd::Level;

thread_local! {
    static CHOSEN: Cell<Option<Token>> = const { Cell::new(None) };
}

/// Runs `f` with every call of this crate that it makes on this thread using `level`. Work that
/// such a call hands to other threads uses it too.
///
/// # Panics
/// If this machine does not have the level.
#[track_caller]
pub fn with_level<R>(level: Level, f: impl FnOnce() -> R) -> R {
    let Some(token) = level.token() else {
        panic!("SIMD level {level:?} is not available here; these are: {:?}", Level::available());
    };
    Job(token).install(f)
}

/// Puts the old choice back, also when a panic passes.
struct Restore(Option<Token>);

impl Drop for Restore {
    fn drop(&mut self) {
        CHOSEN.set(self.0);
    }
}

/// What a call captures at its entrance and hands to every piece of its work.
#[derive(Clone, Copy, Debug)]
pub struct Job(Token);

impl Job {
    /// The level chosen for this thread, or the best.
    #[inline]
    pub(crate) fn new() -> Self {
        Self(CHOSEN.get().unwrap_or_else(Token::new))
    }

    /// Whether [`run_fused`] can be used: not on x86-64 without a fused multiply-add.
    pub(crate) fn is_fused(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self.0, Token::Avx512(_) | Token::Avx2(_));
        #[cfg(not(target_arch = "x86_64"))]
        return true;
    }

    /// Whether vectors are of 64 bytes, so that the processor is a large one.
    pub(crate) fn is_widest(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self.0, Token::Avx512(_));
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// The same with vectors of 32 bytes instead of 64.
    pub(crate) fn narrowed(self) -> Self {
        #[cfg(target_arch = "x86_64")]
        if self.is_widest()
            && let Some(simd) = self.0.as_avx2()
        {
            return Self(Token::Avx2(simd));
        }
        self
    }

    /// The same with vectors of 16 bytes, for loops without fused steps.
    pub(crate) fn slimmest(self) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = self.0.as_sse2() {
            return Self(Token::Sse2(simd));
        }
        self
    }

    /// Runs `f` with every call of this crate that it makes on this thread using the job's level.
    pub(crate) fn install<R>(self, f: impl FnOnce() -> R) -> R {
        let _restore = Restore(CHOSEN.replace(Some(self.0)));
        f()
    }
}

/// A loop that is compiled once for each SIMD level.
pub(crate) trait Kernel {
    type Output;
    /// Must be `#[inline(always)]`, as everything it calls.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs a kernel with the instructions of the job's level.
#[inline(always)]
pub(crate) fn run<K: Kernel>(job: Job, kernel: K) -> K::Output {
    // SSE4.2 has nothing that these loops would use beyond SSE2: without a fused multiply-add both
    // spend their time in its emulation. So there is one copy less of every loop than with the
    // general dispatch.
    #[cfg(target_arch = "x86_64")]
    let output = match job.0 {
        Token::Avx512(simd) => vectorize(simd, kernel),
        Token::Avx2(simd) => vectorize(simd, kernel),
        other => vectorize(other.as_sse2().expect("every x86-64 processor has SSE2"), kernel),
    };
    #[cfg(not(target_arch = "x86_64"))]
    let output = fearless_simd::dispatch!(job.0, simd => kernel.run(simd));
    output
}

/// [`run`] in line, with the instructions that every processor of the target has: for work that takes less time than
/// the choice of better ones.
#[inline(always)]
pub(crate) fn run_plainly<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    let output = kernel.run(Token::baseline().as_sse2().expect("every x86-64 processor has SSE2"));
    #[cfg(not(target_arch = "x86_64"))]
    let output = run(Job(Token::baseline()), kernel);
    output
}

/// [`run`] of a kernel that is there for speed alone, without a copy for SSE2, where emulated steps take all
/// of the time anyway.
///
/// # Panics
/// If the job [is not fused](Job::is_fused).
#[inline(always)]
pub(crate) fn run_fused<K: Kernel>(job: Job, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    let output = match job.0 {
        Token::Avx512(simd) => vectorize(simd, kernel),
        Token::Avx2(simd) => vectorize(simd, kernel),
        other => panic!("a fused kernel on {other:?}"),
    };
    #[cfg(not(target_arch = "x86_64"))]
    let output = run(job, kernel);
    output
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn vectorize<S: Simd, K: Kernel>(simd: S, kernel: K) -> K::Output {
    simd.vectorize(
        #[inline(always)]
        || kernel.run(simd),
    )
}
