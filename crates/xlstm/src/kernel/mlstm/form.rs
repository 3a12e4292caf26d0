//! Which form of the cell to run, by measured shape.

/// A way to compute the same cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The whole sequence as one masked matrix product: T²·D multiply-adds, no state on the way.
    Parallel,
    /// Chunks of this many steps, the state carried between them: T·(length + D)·D multiply-adds.
    Chunkwise(usize),
    /// Step by step: T·D² multiply-adds, constant memory. As a whole-sequence form it is chunks of one step.
    Recurrent,
}

impl Form {
    /// Steps per chunk for a sequence of `time` steps.
    #[must_use]
    pub fn chunk_length(self, time: usize) -> usize {
        match self {
            Self::Parallel => time,
            Self::Chunkwise(length) => length.min(time),
            Self::Recurrent => 1,
        }
    }
}

/// What the result is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Forward and backward.
    Training,
    /// Forward only.
    Inference,
}

/// The form that measured fastest for sequences of `time` steps and heads of `dim` elements on the development
/// machine (AMD EPYC, AVX-512; benchmark `cells`), microseconds forward + backward per (batch, head):
///
/// | T, D | parallel | chunks of 32 | chunks of 64 |
/// |---|---|---|---|
/// | 60, 24 | 16 | 19 | 16 |
/// | 60, 48 | 22 | 31 | 22 |
/// | 96, 24 | 35 | 35 | 37 |
/// | 128, 16 | 33 | 26 | 28 |
/// | 128, 48 | 74 | 83 | 73 |
/// | 128, 96 | 142 | 246 | 186 |
/// | 256, 48 | 257 | 186 | 176 |
/// | 256, 96 | 541 | 631 | 555 |
/// | 512, 24 | 850 | 221 | 230 |
///
/// The same rule serves inference over a whole sequence: the forward pass alone turns at about the same lengths.
/// A single step is [`Form::Recurrent`], best run by [`super::step`].
#[must_use]
pub fn choose_form(time: usize, dim: usize, purpose: Purpose) -> Form {
    let (parallel_up_to, chunk) = match dim {
        0..=32 => (64, 32),
        33..=64 => (128, 64),
        _ => (256, 64),
    };
    match purpose {
        Purpose::Inference if time == 1 => Form::Recurrent,
        _ if time <= parallel_up_to => Form::Parallel,
        _ => Form::Chunkwise(chunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_sequences_are_parallel_and_long_ones_linear() {
        assert_eq!(choose_form(1, 24, Purpose::Inference), Form::Recurrent);
        assert_eq!(choose_form(60, 24, Purpose::Training), Form::Parallel);
        assert_eq!(choose_form(128, 48, Purpose::Training), Form::Parallel);
        assert_eq!(choose_form(4096, 96, Purpose::Inference), Form::Chunkwise(64));
        assert_eq!(choose_form(512, 24, Purpose::Training), Form::Chunkwise(32));
        assert_eq!(Form::Chunkwise(64).chunk_length(60), 60);
    }
}
