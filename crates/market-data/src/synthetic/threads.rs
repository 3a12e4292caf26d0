//! Symbols side by side, with results that do not know how many threads there were.

use std::num::NonZero;
use std::thread;

use crate::error::MarketDataError;

/// How many threads the machine has to give.
pub(super) fn available() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// `make(0)`, …, `make(count - 1)` in that order, computed on at most `threads` threads.
///
/// Each result depends on its index alone, so neither the number of threads nor their timing shows.
pub(super) fn each<T: Send>(
    count: usize,
    threads: usize,
    make: impl Fn(usize) -> Result<T, MarketDataError> + Sync,
) -> Result<Vec<T>, MarketDataError> {
    if threads <= 1 || count <= 1 {
        return (0..count).map(make).collect();
    }
    let mut slots: Vec<Option<Result<T, MarketDataError>>> = (0..count).map(|_| None).collect();
    let per_thread = count.div_ceil(threads);
    let make = &make;
    thread::scope(|scope| {
        for (number, chunk) in slots.chunks_mut(per_thread).enumerate() {
            scope.spawn(move || {
                for (offset, slot) in chunk.iter_mut().enumerate() {
                    *slot = Some(make(number * per_thread + offset));
                }
            });
        }
    });
    // The scope has joined every thread, so every slot is filled.
    slots.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_errors_survive_any_number_of_threads() {
        for threads in [0, 1, 2, 3, 8] {
            assert_eq!(each(7, threads, Ok).unwrap(), [0, 1, 2, 3, 4, 5, 6]);
            let failing = each(7, threads, |index| {
                if index == 5 { Err(MarketDataError::request("five", "fails")) } else { Ok(index) }
            });
            assert!(failing.is_err());
        }
    }
}
