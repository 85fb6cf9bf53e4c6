//! Whether and how work is shared between threads. The only file that names rayon.
//!
//! The pool is the ambient one: that of the calling worker, else the global one. A size below the
//! threshold never asks for it, because the first question would already start it.
//!
//! A thread outside the pool works itself, from the front of a queue of tasks, while threads of the pool take from
//! its back, as soon as they are awake: handing everything over and sleeping costs a second wake-up, and both woken
//! threads may find themselves on one core. Sharing so is never much slower than working alone.
//!
//! A thread that is awake still from the call before comes after a microsecond, one that sleeps after 25 to 85. So
//! small work is shared as long as threads come in time, and tried again now and then ([`Answers`]).

#[cfg(feature = "rayon")]
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

#[cfg(feature = "rayon")]
pub(crate) use self::team::team;
use crate::activation::Cost;

#[cfg(feature = "rayon")]
mod team;

/// The smallest number of [`singles`] that is worth two threads, both awake.
///
/// | cost     | elements | time of one thread | of two |
/// |----------|----------|--------------------|--------|
/// | Light    | 128 Ki   | relu 10.7 µs       | 7.2 µs |
/// | Moderate | 32 Ki    | sigmoid 9.6 µs     | 6.9 µs |
/// | Heavy    | 16 Ki    | gelu 8.6 µs        | 6.4 µs |
///
/// Calls of `f32` back to back, on two cores of Intel Xeon with AVX-512; at twice these sizes 33 and 13, 19 and 12, 17 and
/// 11 µs. `cargo bench --bench parallel` times both sides.
const fn least(cost: Cost) -> usize {
    match cost {
        Cost::Light => 128 << 10,
        Cost::Moderate => 32 << 10,
        Cost::Heavy => LEAST,
    }
}

/// Fewer elements are never shared, whatever they cost.
pub(crate) const LEAST: usize = 16 << 10;

/// The `f32` elements that take about as much time as so many of `A`, or less: thresholds are of those.
pub(crate) const fn singles<A>(elements: usize) -> usize {
    elements * size_of::<A>() / size_of::<f32>()
}

/// How many times as many are shared within the pool: what nobody comes for is not waited for there.
#[cfg(feature = "rayon")]
const WITHIN: usize = 4;

/// How many times as many are shared in any case: then one thread takes 150 to 600 µs, longer than another needs to
/// wake up.
#[cfg(feature = "rayon")]
const ALWAYS: usize = 16;

/// Pieces that are worth the time to cut them at any number of threads.
const VIEWS: usize = 64;

/// The number of pieces that so many [`singles`] of work should be cut into; 1 means serial.
///
/// Up to sixteen for each thread: one that is late holds up the others by a part of its last piece.
pub(crate) fn pieces(cost: Cost, elements: usize) -> usize {
    pieces_of(cost, elements, 16)
}

/// The same of views, each of which takes a third of a microsecond to cut, one after the other: fewer for each of many
/// threads.
pub(crate) fn pieces_of_views(cost: Cost, elements: usize) -> usize {
    match pieces(cost, elements) {
        many if many > VIEWS => many.min(VIEWS.max(4 * pool_size())),
        few => few,
    }
}

/// The same, with at most so many pieces for each thread. A piece has at least half of the least number.
pub(crate) fn pieces_of(cost: Cost, elements: usize, for_each_thread: usize) -> usize {
    cut(elements / least(cost), 1, for_each_thread)
}

/// The number of threads for work in which they meet: worth it for so many times the least number of elements.
pub(crate) fn threads(cost: Cost, elements: usize, fewest: usize) -> usize {
    cut(elements / least(cost), fewest, 1)
}

/// The threads of the pool, at least one.
#[cfg(feature = "rayon")]
fn pool_size() -> usize {
    rayon::current_num_threads()
}

#[cfg(not(feature = "rayon"))]
fn pool_size() -> usize {
    1
}

/// Whether this is a part of work that threads share.
#[cfg(feature = "rayon")]
pub(crate) fn is_part() -> bool {
    shared::is_inside()
}

#[cfg(not(feature = "rayon"))]
pub(crate) fn is_part() -> bool {
    false
}

/// The pieces of work of so many `times` the least number of elements.
#[cfg(feature = "rayon")]
fn cut(times: usize, fewest: usize, for_each_thread: usize) -> usize {
    if times < fewest || shared::is_inside() {
        return 1;
    }
    let enough = match rayon::current_thread_index() {
        Some(_) => times >= WITHIN,
        None => times >= ALWAYS || ANSWERS.are_likely(times),
    };
    if !enough {
        return 1;
    }
    match pool_size() {
        1 => 1,
        threads => (2 * times).clamp(2, for_each_thread * threads),
    }
}

#[cfg(not(feature = "rayon"))]
fn cut(_times: usize, _fewest: usize, _for_each_thread: usize) -> usize {
    1
}

/// Of the threads that were asked in this process.
#[cfg(feature = "rayon")]
static ANSWERS: Answers = Answers::new();

/// Whether threads of the pool come before the work is done.
///
/// One that sleeps takes longer to wake up than small work takes, and then the caller waits for it, so two misses
/// in a row are followed by a pause: two, because the first wakes it up. Where none ever comes, less than 1 % is lost in
/// the long run, where some do up to 11 % was measured; what is computed is the same.
#[cfg(feature = "rayon")]
struct Answers {
    misses: AtomicU32,
    pause: AtomicUsize,
}

#[cfg(feature = "rayon")]
impl Answers {
    /// Work that is done without asking after the first two misses, in the least that is shared; up to 64 times as
    /// much after more of them.
    const PAUSE: usize = 64;

    const fn new() -> Self {
        Self { misses: AtomicU32::new(0), pause: AtomicUsize::new(0) }
    }

    /// Whether to ask for work of so many times the least that is shared.
    fn are_likely(&self, times: usize) -> bool {
        // Of two calls at the same time one may not be counted: nothing depends on that.
        match self.pause.load(Ordering::Relaxed) {
            0 => true,
            pause => {
                self.pause.store(pause.saturating_sub(times), Ordering::Relaxed);
                false
            }
        }
    }

    fn note(&self, in_time: bool) {
        if in_time {
            self.misses.store(0, Ordering::Relaxed);
            return;
        }
        let misses = self.misses.load(Ordering::Relaxed).saturating_add(1);
        self.misses.store(misses, Ordering::Relaxed);
        if misses.is_multiple_of(2) {
            self.pause.store(Self::PAUSE << (misses / 2 - 1).min(6), Ordering::Relaxed);
        }
    }
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
        shared::run(self.0, pool_size());
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

/// Without threads each step is done by the caller.
#[cfg(not(feature = "rayon"))]
pub(crate) fn team<T, P, R, O>(
    mut items: Vec<T>,
    work: impl Fn(&P, &mut T) -> R,
    lead: impl FnOnce(&mut dyn FnMut(P) -> Vec<R>) -> O,
) -> O {
    lead(&mut |step| items.iter_mut().map(|item| work(&step, item)).collect())
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

    use super::ANSWERS;

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

    pub(super) fn inside(f: impl FnOnce()) {
        let _leave = Leave(INSIDE.replace(true));
        f();
    }

    /// Runs the tasks on this thread and `threads − 1` of the pool.
    pub(super) fn run(tasks: Vec<Task<'_>>, threads: usize) {
        let all = tasks.len();
        let queue = Mutex::new(VecDeque::from(tasks));
        // No task runs while the lock is held, so nothing that panics does.
        let lock = || queue.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = AtomicUsize::new(0);
        let help = |_| {
            inside(|| {
                while let Some(task) = { lock().pop_back() } {
                    taken.fetch_add(1, Ordering::Relaxed);
                    task();
                }
            });
        };
        beside(threads.min(all) - 1, help, || {
            while let Some(task) = { lock().pop_front() } {
                inside(task);
            }
            // A smaller part is not worth the call.
            ((), 4 * taken.load(Ordering::Relaxed) >= all)
        });
    }

    /// Calls `lead`, and `help` with 1, 2, … on so many threads of the pool. `lead` comes back when nothing is left to
    /// do, and says whether the others were in time.
    pub(super) fn beside<O>(
        helpers: usize,
        help: impl Fn(usize) + Sync,
        lead: impl FnOnce() -> (O, bool),
    ) -> O {
        let done = &AtomicUsize::new(0);
        rayon::in_place_scope(|scope| {
            for helper in 1..=helpers {
                let help = &help;
                scope.spawn(move |_| {
                    help(helper);
                    done.fetch_add(1, Ordering::Release);
                });
            }
            let (output, in_time) = lead();
            ANSWERS.note(in_time);
            for _ in 0..LOOKS {
                if done.load(Ordering::Acquire) == helpers {
                    break;
                }
                spin_loop();
            }
            output
        })
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::{Answers, Tasks, pieces, pieces_of_views, shared};
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

    /// Calls until threads are asked again.
    fn pause(answers: &Answers) -> usize {
        (0..).take_while(|_| !answers.are_likely(1)).count()
    }

    #[test]
    fn two_misses_in_a_row_are_followed_by_a_pause_that_grows() {
        let answers = Answers::new();
        for _ in 0..3 {
            answers.note(false);
            assert_eq!(pause(&answers), 0, "one miss wakes a thread up");
            answers.note(true);
        }
        for expected in [64, 128, 256, 512, 1024, 2048, 4096, 4096] {
            answers.note(false);
            assert_eq!(pause(&answers), 0);
            answers.note(false);
            assert_eq!(pause(&answers), expected);
        }
        answers.note(false);
        answers.note(false);
        assert!(!answers.are_likely(5000) && answers.are_likely(1), "large work shortens it");
        answers.note(true);
        assert_eq!(pause(&answers), 0);
    }

    #[test]
    fn small_work_within_a_pool_stays_on_its_thread() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        for (cost, least) in [(Cost::Light, 512), (Cost::Moderate, 128), (Cost::Heavy, 64)] {
            let least = least << 10;
            assert_eq!(pool.install(|| pieces(cost, least - 1)), 1);
            assert_eq!(pool.install(|| pieces(cost, least)), 8);
        }
    }

    #[test]
    fn many_threads_get_fewer_views_each() {
        for (threads, all, views) in [(2, 32, 32), (8, 128, 64), (16, 256, 64), (20, 320, 80)] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| pieces(Cost::Moderate, LARGE)), all, "{threads} threads");
            assert_eq!(pool.install(|| pieces_of_views(Cost::Moderate, LARGE)), views);
        }
    }
}
