//! Batches made ahead on a thread of their own.

use std::sync::mpsc::sync_channel;

use crate::error::SupervisedError;

/// Batches that wait at most; more would hold memory without saving time.
const WAITING: usize = 2;

/// Runs `produce` on a thread of its own, which hands items over, and `consume` on this one, in the same order. What is
/// handed over does not depend on how fast either is. The first error of either ends both.
///
/// `produce` calls its argument for each item and stops where that says false.
///
/// On a thread of Rayon's, one item is made after the other is used: if all of them waited for batches, none would be
/// left to make these.
pub(super) fn prefetch<T: Send>(
    produce: impl FnOnce(&mut dyn FnMut(T) -> bool) -> Result<(), SupervisedError> + Send,
    mut consume: impl FnMut(T) -> Result<(), SupervisedError>,
) -> Result<(), SupervisedError> {
    if rayon::current_thread_index().is_some() {
        let mut consumed = Ok(());
        let produced = produce(&mut |item| {
            consumed = consume(item);
            consumed.is_ok()
        });
        return consumed.and(produced);
    }
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let producer = scope.spawn(move || produce(&mut |item| sender.send(item).is_ok()));
        let consumed = receiver.iter().try_for_each(&mut consume);
        // A producer that waits for room is let go.
        drop(receiver);
        let produced = producer.join().unwrap_or_else(|_| {
            Err(SupervisedError::data(
                "the thread that makes batches",
                "it panicked; this is a fault of the program",
            ))
        });
        consumed.and(produced)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own, and on one of Rayon's.
    fn both(test: impl Fn() + Send + Sync) {
        test();
        rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(test);
    }

    #[test]
    fn items_come_in_order() {
        both(|| {
            let mut seen = Vec::new();
            let produce = |send: &mut dyn FnMut(u32) -> bool| {
                for item in 0..100 {
                    assert!(send(item));
                }
                Ok(())
            };
            prefetch(produce, |item| {
                seen.push(item);
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, (0..100).collect::<Vec<_>>());
        });
    }

    #[test]
    fn an_error_on_either_side_ends_both() {
        both(|| {
            let fault = || SupervisedError::data("a batch", "broken");
            let endless = |send: &mut dyn FnMut(u32) -> bool| {
                while send(1) {}
                Ok(())
            };
            assert!(prefetch(endless, |_| Err(fault())).is_err());
            let failing = |send: &mut dyn FnMut(u32) -> bool| {
                send(1);
                Err(fault())
            };
            let mut seen = 0;
            let count = |_| {
                seen += 1;
                Ok(())
            };
            assert!(prefetch(failing, count).is_err());
            assert_eq!(seen, 1);
        });
    }
}
