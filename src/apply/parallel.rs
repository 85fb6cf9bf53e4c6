//! Whether and how work is shared between threads. The only file that names rayon.
//!
//! The pool is the ambient one: that of the calling worker, else the global one. A size below the
//! threshold never asks for it, because the first question would already start it.
//!
//! A thread outside the pool works itself, from the front of a queue of tasks, while threads of the pool take from
//! its back, as soon as they are awake: handing everything over and sleeping costs a second wake-up, and both woken
//! threads may find themselves on one core. Sharing so is never much slower than working alone.

use crate::activation::Cost;

/// The smallest number of elements that is worth two threads.
///
/// | cost     | elements | time of one thread |
/// |----------|----------|--------------------|
/// | Light    | 512 Ki   | about 50 µs        |
/// | Moderate | 128 Ki   | about 90 µs        |
/// | Heavy    | 64 Ki    | about 90 µs        |
///
/// A thread of the pool is awake after 25 to 85 µs (2 cores of AMD Zen 3): below these sizes that is most of
/// the work. `cargo bench --bench parallel` times both sides of each. On two cores of Intel Sapphire Rapids
/// one and two threads take, back to back, at these sizes 170 and 90 µs (relu), 64 and 39 µs (sigmoid), 77 and
/// 49 µs (gelu), and at twice these sizes 330 and 159, 120 and 83, 148 and 102 µs.
#[cfg(feature = "rayon")]
const fn threshold(cost: Cost) -> usize {
    match cost {
        Cost::Light => 512 << 10,
        Cost::Moderate => 128 << 10,
        Cost::Heavy => 64 << 10,
    }
}

/// The number of pieces that `elements` of work should be cut into; 1 means serial.
///
/// Up to sixteen for each thread: one that is late holds up the others by a part of its last piece.
pub(crate) fn pieces(cost: Cost, elements: usize) -> usize {
    pieces_of(cost, elements, 16)
}

/// The same, with at most so many pieces for each thread. A piece has at least a quarter of the threshold.
#[cfg(feature = "rayon")]
pub(crate) fn pieces_of(cost: Cost, elements: usize, for_each_thread: usize) -> usize {
    let threshold = threshold(cost);
    if elements < threshold || shared::is_inside() {
        return 1;
    }
    match rayon::current_num_threads() {
        1 => 1,
        threads => (elements / (threshold / 4)).clamp(2, for_each_thread * threads),
    }
}

#[cfg(not(feature = "rayon"))]
pub(crate) fn pieces_of(_cost: Cost, _elements: usize, _for_each_thread: usize) -> usize {
    1
}

/// Pieces of work that may run at the same time.
pub(crate) struct Tasks<'a>(Vec<Box<dyn FnOnce() + Send + 'a>>);

impl<'a> Tasks<'a> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn push(&mut self, task: impl FnOnce() + Send + 'a) {
        self.0.push(Box::new(task));
    }

    /// Runs all of them; what a task asks [`pieces`] for is one piece.
    #[cfg(feature = "rayon")]
    pub(crate) fn run(self) {
        if rayon::current_thread_index().is_some() || self.0.len() < 2 {
            return self.run_in_pool();
        }
        shared::run(self.0, rayon::current_num_threads());
    }

    /// Runs all of them, each of which may be cut further.
    #[cfg(feature = "rayon")]
    pub(crate) fn run_in_pool(self) {
        halves(self.0);
    }

    #[cfg(not(feature = "rayon"))]
    pub(crate) fn run(self) {
        self.0.into_iter().for_each(|task| task());
    }

    #[cfg(not(feature = "rayon"))]
    pub(crate) fn run_in_pool(self) {
        self.run();
    }
}

#[cfg(feature = "rayon")]
fn halves(mut tasks: Vec<Box<dyn FnOnce() + Send + '_>>) {
    if tasks.len() < 2 {
        return tasks.into_iter().for_each(|task| task());
    }
    let rest = tasks.split_off(tasks.len() / 2);
    rayon::join(|| halves(tasks), || halves(rest));
}

#[cfg(feature = "rayon")]
mod shared {
    use core::cell::Cell;
    use core::hint::spin_loop;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::collections::VecDeque;
    use std::sync::{Mutex, PoisonError};

    type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

    /// How often the caller looks whether the others are done before it sleeps: some tens of microseconds.
    const LOOKS: usize = 1000;

    thread_local! {
        static INSIDE: Cell<bool> = const { Cell::new(false) };
    }

    /// Whether this thread is in a task of [`run`].
    pub(super) fn is_inside() -> bool {
        INSIDE.get()
    }

    /// Leaves the task, also when a panic passes.
    struct Leave(bool);

    impl Drop for Leave {
        fn drop(&mut self) {
            INSIDE.set(self.0);
        }
    }

    fn inside(f: impl FnOnce()) {
        let _leave = Leave(INSIDE.replace(true));
        f();
    }

    /// Runs the tasks on this thread and `threads − 1` of the pool.
    pub(super) fn run(tasks: Vec<Task<'_>>, threads: usize) {
        let helpers = threads.min(tasks.len()) - 1;
        let queue = Mutex::new(VecDeque::from(tasks));
        // No task runs while the lock is held, so nothing that panics does.
        let lock = || queue.lock().unwrap_or_else(PoisonError::into_inner);
        let done = AtomicUsize::new(0);
        rayon::in_place_scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|_| {
                    inside(|| {
                        while let Some(task) = { lock().pop_back() } {
                            task();
                        }
                    });
                    done.fetch_add(1, Ordering::Release);
                });
            }
            inside(|| {
                while let Some(task) = { lock().pop_front() } {
                    task();
                }
            });
            for _ in 0..LOOKS {
                if done.load(Ordering::Acquire) == helpers {
                    break;
                }
                spin_loop();
            }
        });
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::{Tasks, pieces, shared};
    use crate::activation::Cost;

    const LARGE: usize = 1 << 24;

    /// How often each of `count` tasks ran, and into how many pieces they would cut a large array.
    fn counted(count: usize, run: impl FnOnce(Tasks<'_>)) -> (Vec<usize>, usize) {
        let runs: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
        let most = AtomicUsize::new(0);
        let mut tasks = Tasks::new();
        for count in &runs {
            let most = &most;
            tasks.push(move || {
                count.fetch_add(1, Ordering::Relaxed);
                most.fetch_max(pieces(Cost::Light, LARGE), Ordering::Relaxed);
            });
        }
        run(tasks);
        (runs.into_iter().map(AtomicUsize::into_inner).collect(), most.into_inner())
    }

    #[test]
    fn every_task_runs_once_outside_and_inside_of_a_pool() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for count in [0, 1, 2, 3, 7, 100] {
            assert_eq!(counted(count, |tasks| tasks.run()).0, vec![1; count]);
            assert_eq!(counted(count, |tasks| tasks.run_in_pool()).0, vec![1; count]);
            assert_eq!(pool.install(|| counted(count, |tasks| tasks.run())).0, vec![1; count]);
            let of_four = |tasks: Tasks<'_>| shared::run(tasks.0, 4);
            if count > 0 {
                assert_eq!(counted(count, of_four), (vec![1; count], 1), "tasks are not cut");
            }
        }
    }

    #[test]
    fn a_panic_of_a_task_reaches_the_caller_and_the_rest_goes_on() {
        for bad in 0..8 {
            let done = AtomicUsize::new(0);
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let mut tasks = Tasks::new();
                for i in 0..8 {
                    let done = &done;
                    tasks.push(move || {
                        assert_ne!(i, bad, "a bad task");
                        done.fetch_add(1, Ordering::Relaxed);
                    });
                }
                shared::run(tasks.0, 2);
            }));
            let message = *caught.unwrap_err().downcast::<String>().unwrap();
            assert!(message.contains("a bad task"), "{message}");
            assert!(done.into_inner() <= 7);
            assert!(!shared::is_inside(), "the caller is out of its task");
        }
    }
}
