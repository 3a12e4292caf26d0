//! How a sequence is cut into chunks.

use super::MlstmShape;

/// Steps `start..end` of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub start: usize,
    pub end: usize,
    /// A state enters: the initial state, or what the chunk before left.
    pub enters: bool,
}

impl Chunk {
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }
}

/// The chunks of every sequence of a batch: cut at multiples of the chunk length, counted from the last reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// One list for all sequences where there is no reset mask, else one per sequence.
    lists: Vec<Vec<Chunk>>,
    longest: usize,
}

impl Plan {
    pub(crate) fn new(shape: &MlstmShape, length: usize, reset: Option<&[bool]>, has_initial: bool) -> Self {
        let lists = match reset {
            None => vec![cut(shape.time, length, |_| false, has_initial)],
            Some(mask) => mask
                .chunks_exact(shape.time)
                .map(|row| cut(shape.time, length, |step| row[step], has_initial))
                .collect(),
        };
        let longest = lists.iter().flatten().map(Chunk::len).max().unwrap_or(0);
        Self { lists, longest }
    }

    /// No sequences at all.
    pub(crate) fn empty() -> Self {
        Self { lists: Vec::new(), longest: 0 }
    }

    pub(crate) fn chunks(&self, batch: usize) -> &[Chunk] {
        if self.lists.len() == 1 { &self.lists[0] } else { &self.lists[batch] }
    }

    /// Steps of the longest chunk.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// How many states between chunks one head of this sequence keeps for the backward pass.
    pub(crate) fn kept_states(&self, batch: usize) -> usize {
        self.chunks(batch).len() - 1
    }
}

fn cut(time: usize, length: usize, is_reset: impl Fn(usize) -> bool, has_initial: bool) -> Vec<Chunk> {
    let mut chunks = Vec::with_capacity(time.div_ceil(length));
    let mut start = 0;
    let mut enters = has_initial && !is_reset(0);
    for step in 1..=time {
        let fresh = step < time && is_reset(step);
        if step == time || fresh || step - start == length {
            chunks.push(Chunk { start, end: step, enters });
            start = step;
            enters = !fresh;
        }
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_lengths_and_resets() {
        let shape = MlstmShape { batch: 1, heads: 1, time: 7, dim: 1 };
        let mask = [true, false, false, true, false, false, false];
        let plan = Plan::new(&shape, 2, Some(&mask), true);
        let found: Vec<_> = plan.chunks(0).iter().map(|c| (c.start, c.end, c.enters)).collect();
        assert_eq!(found, [(0, 2, false), (2, 3, true), (3, 5, false), (5, 7, true)]);
        let plan = Plan::new(&shape, 7, None, true);
        assert_eq!(plan.chunks(0), [Chunk { start: 0, end: 7, enters: true }]);
        assert_eq!((plan.longest(), plan.kept_states(0)), (7, 0));
    }
}
