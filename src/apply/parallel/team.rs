//! Threads that stay together for work in several steps.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::yield_now;

use super::pool_size;
use super::shared::{self, inside};

/// How often a thread looks for the next step before it lets others run.
const LOOKS: usize = 100;

/// Runs `lead`, whose argument has a step done with every item and returns what came of it, in the order of the
/// items. Threads of the pool take the items of a step, as soon as they are awake, each its own first, and
/// stay awake from step to step: what the steps have between them should be short.
pub(crate) fn team<T: Send, P: Send + Sync, R: Send, O>(
    mut items: Vec<T>,
    work: impl Fn(&P, &mut T) -> R + Sync,
    lead: impl FnOnce(&mut dyn FnMut(P) -> Vec<R>) -> O,
) -> O {
    // One item asks for no pool.
    let helpers = if items.len() < 2 { 0 } else { items.len().min(pool_size()) - 1 };
    if helpers == 0 {
        return lead(&mut |step| items.iter_mut().map(|item| work(&step, item)).collect());
    }
    let team = &Team {
        places: items.into_iter().map(Place::new).collect(),
        step: RwLock::new(None),
        left: AtomicUsize::new(0),
        taken: AtomicUsize::new(0),
        steps: AtomicUsize::new(0),
        over: AtomicBool::new(false),
        work,
    };
    let help = |own| {
        let mut looks = 0;
        while !team.over.load(Ordering::Acquire) {
            looks = if team.take(own) { 0 } else { wait(looks) };
        }
    };
    shared::beside(helpers, help, || {
        let _end = End(team);
        let output = lead(&mut |step| team.all(step));
        let all = team.steps.load(Ordering::Relaxed) * team.places.len();
        (output, 4 * team.taken.load(Ordering::Relaxed) >= all)
    })
}

/// An item, and what came of it.
struct Place<T, R> {
    /// Whether nobody has taken it in this step.
    open: AtomicBool,
    item: Mutex<(T, Option<R>)>,
}

impl<T, R> Place<T, R> {
    fn new(item: T) -> Self {
        Self { open: AtomicBool::new(false), item: Mutex::new((item, None)) }
    }

    fn lock(&self) -> MutexGuard<'_, (T, Option<R>)> {
        self.item.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Team<T, P, R, F> {
    places: Vec<Place<T, R>>,
    step: RwLock<Option<Arc<P>>>,
    /// Items that are not done in this step.
    left: AtomicUsize,
    /// Items that helpers have taken in all steps.
    taken: AtomicUsize,
    steps: AtomicUsize,
    over: AtomicBool,
    work: F,
}

/// Sends the helpers away, also when a panic passes.
struct End<'a, T, P, R, F>(&'a Team<T, P, R, F>);

impl<T, P, R, F> Drop for End<'_, T, P, R, F> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
    }
}

/// Counts an item as done, also when a panic passes.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl<T: Send, P: Send + Sync, R: Send, F: Fn(&P, &mut T) -> R + Sync> Team<T, P, R, F> {
    /// One step, on this thread and the helpers.
    fn all(&self, step: P) -> Vec<R> {
        *self.step.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(step));
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.left.store(self.places.len(), Ordering::Release);
        for place in &self.places {
            place.open.store(true, Ordering::Release);
        }
        self.take(0);
        let mut looks = 0;
        while self.left.load(Ordering::Acquire) > 0 {
            looks = wait(looks);
        }
        let results = self.places.iter().map(|place| place.lock().1.take());
        results.map(|result| result.expect("a helper panicked, which the pool hands on")).collect()
    }

    /// Takes items, from that of thread `own` on; returns whether there were any. The caller is thread 0.
    fn take(&self, own: usize) -> bool {
        let (others, mine) = self.places.split_at(own);
        let mut any = false;
        for place in mine.iter().chain(others) {
            if !place.open.load(Ordering::Relaxed) || !place.open.swap(false, Ordering::AcqRel) {
                continue;
            }
            let _done = Done(&self.left);
            self.taken.fetch_add(usize::from(own > 0), Ordering::Relaxed);
            let step = self.step.read().unwrap_or_else(PoisonError::into_inner).clone();
            let step = step.expect("items are opened after the step is known");
            let place = &mut *place.lock();
            inside(|| place.1 = Some((self.work)(&step, &mut place.0)));
            any = true;
        }
        any
    }
}

/// A moment; after some of them others may run.
fn wait(looks: usize) -> usize {
    if looks < LOOKS {
        spin_loop()
    } else {
        yield_now()
    }
    looks + 1
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::team;

    #[test]
    fn every_item_is_worked_on_once_in_every_step_and_results_keep_their_order() {
        for count in [1, 2, 3, 8] {
            let items: Vec<usize> = (0..count).map(|i| 100 * i).collect();
            let sum = team(
                items,
                |step: &usize, item: &mut usize| {
                    *item += step;
                    *item
                },
                |ask| {
                    let mut expected: Vec<usize> = (0..count).map(|i| 100 * i).collect();
                    for step in 0..50 {
                        expected.iter_mut().for_each(|item| *item += step);
                        assert_eq!(ask(step), expected);
                    }
                    expected.iter().sum::<usize>()
                },
            );
            assert_eq!(sum, count * (count - 1) * 50 + count * 49 * 25);
        }
    }

    #[test]
    fn a_panic_of_any_thread_reaches_the_caller() {
        for bad in 0..4 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                team(
                    vec![0, 1, 2, 3],
                    |_: &(), item: &mut usize| assert_ne!(*item, bad, "a bad item"),
                    |ask| {
                        for _ in 0..10 {
                            ask(());
                        }
                    },
                );
            }));
            assert!(caught.is_err());
        }
        let caught = catch_unwind(|| {
            team(vec![0, 1], |_: &(), _| (), |_| panic!("a bad lead"));
        });
        assert!(caught.is_err());
    }
}
