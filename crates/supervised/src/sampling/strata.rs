//! Samples by group and symbol, and the order in which an epoch draws them.

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

use super::apportionment::evenly;

/// Samples arranged by group (class) and, within that, by symbol. Where classes or symbols are of no
/// concern there is one group or one symbol.
#[derive(Clone, Debug)]
pub(super) struct Strata {
    symbols: usize,
    /// Where each stratum (`group · symbols + symbol`) starts in `members`, and the end of the last.
    bounds: Vec<usize>,
    members: Vec<u32>,
}

impl Strata {
    /// Arranges `members` by their stratum, one of `groups · symbols`; within one they keep their order.
    pub(super) fn new(
        groups: usize,
        symbols: usize,
        members: impl Iterator<Item = u32> + Clone,
        stratum_of: &[u32],
    ) -> Self {
        let mut bounds = vec![0; groups * symbols + 1];
        for member in members.clone() {
            bounds[stratum_of[member as usize] as usize + 1] += 1;
        }
        for stratum in 0..groups * symbols {
            bounds[stratum + 1] += bounds[stratum];
        }
        let mut next = bounds.clone();
        let mut arranged = vec![0; bounds[groups * symbols]];
        for member in members {
            let place = &mut next[stratum_of[member as usize] as usize];
            arranged[*place] = member;
            *place += 1;
        }
        Self { symbols, bounds, members: arranged }
    }

    /// Shuffles every stratum: the order in which its samples come when an epoch takes only a part.
    pub(super) fn shuffle(&mut self, random: &mut Xoshiro256PlusPlus) {
        for bounds in self.bounds.windows(2) {
            self.members[bounds[0]..bounds[1]].shuffle(random);
        }
    }

    pub(super) fn strata(&self) -> impl Iterator<Item = &[u32]> {
        self.bounds.windows(2).map(|bounds| &self.members[bounds[0]..bounds[1]])
    }

    /// How many samples `group` has.
    pub(super) fn group_len(&self, group: usize) -> usize {
        self.bounds[(group + 1) * self.symbols] - self.bounds[group * self.symbols]
    }

    fn stratum(&self, group: usize, symbol: usize) -> &[u32] {
        let stratum = group * self.symbols + symbol;
        &self.members[self.bounds[stratum]..self.bounds[stratum + 1]]
    }

    /// `draws` samples of `group` (none where it is empty): all before any comes again, and every symbol
    /// spread evenly over the whole. Symbols take turns in the order of `symbol_order`, beginning at the
    /// fraction `offset` of it.
    pub(super) fn draw(
        &self,
        group: usize,
        draws: usize,
        epoch: usize,
        symbol_order: &[u32],
        offset: f64,
        random: &mut Xoshiro256PlusPlus,
    ) -> Vec<u32> {
        let decks: Vec<&[u32]> =
            symbol_order.iter().map(|symbol| self.stratum(group, *symbol as usize)).collect();
        let sizes: Vec<usize> = decks.iter().map(|deck| deck.len()).collect();
        let quotas = evenly(&sizes, draws);
        let mut drawn = Vec::with_capacity(quotas.iter().sum());
        for (deck, quota) in decks.iter().zip(&quotas) {
            deal(deck, *quota, epoch, random, &mut drawn);
        }
        if decks.len() > 1 { interleave(&drawn, &quotas, offset) } else { drawn }
    }
}

/// Appends `draws` cards of `deck`: whole passes, each newly shuffled, and of the last pass a part. That
/// part moves on through the deck from epoch to epoch, so that epochs of one size see every card before
/// they see one again.
fn deal(deck: &[u32], draws: usize, epoch: usize, random: &mut Xoshiro256PlusPlus, drawn: &mut Vec<u32>) {
    if deck.is_empty() {
        return;
    }
    let (passes, rest) = (draws / deck.len(), draws % deck.len());
    for _ in 0..passes {
        let start = drawn.len();
        drawn.extend_from_slice(deck);
        drawn[start..].shuffle(random);
    }
    let first = ((epoch as u128 * rest as u128) % deck.len() as u128) as usize;
    let before_the_end = rest.min(deck.len() - first);
    let start = drawn.len();
    drawn.extend_from_slice(&deck[first..first + before_the_end]);
    drawn.extend_from_slice(&deck[..rest - before_the_end]);
    drawn[start..].shuffle(random);
}

/// Merges decks that lie one after the other in `drawn`, `quotas` long, so that each is spread evenly: card
/// `j` of a deck of `q` stands at the fraction `(j + phase) / q` of the whole, with a phase of its own for
/// each deck.
fn interleave(drawn: &[u32], quotas: &[usize], offset: f64) -> Vec<u32> {
    let mut places = Vec::with_capacity(drawn.len());
    let mut rest = drawn;
    for (rank, &quota) in quotas.iter().enumerate() {
        let (cards, others) = rest.split_at(quota);
        rest = others;
        // Half a step, so that rounding cannot carry a phase of 0 round to 1.
        let phase = ((rank as f64 + 0.5) / quotas.len() as f64 - offset).rem_euclid(1.0);
        let scale = (1_u64 << 32) as f64 / quota.max(1) as f64;
        for (position, &card) in cards.iter().enumerate() {
            // One number to sort by, the place above the card.
            let place = ((position as f64 + phase) * scale) as u64;
            places.push((place << 32) | u64::from(card));
        }
    }
    places.sort_unstable();
    places.into_iter().map(|place| place as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;

    #[test]
    fn samples_are_arranged_by_stratum() {
        let stratum_of = [3, 0, 3, 1, 0];
        let strata = Strata::new(2, 2, 0..5, &stratum_of);
        let arranged: Vec<&[u32]> = strata.strata().collect();
        assert_eq!(arranged, [&[1_u32, 4][..], &[3], &[], &[0, 2]]);
        assert_eq!((strata.group_len(0), strata.group_len(1)), (3, 2));
    }

    #[test]
    fn a_part_of_a_deck_moves_on_from_epoch_to_epoch() {
        let deck: Vec<u32> = (0..10).collect();
        let mut random = generator(1, "test", 0);
        let mut sorted = |epoch, draws| {
            let mut drawn = Vec::new();
            deal(&deck, draws, epoch, &mut random, &mut drawn);
            drawn.sort_unstable();
            drawn
        };
        assert_eq!(sorted(0, 4), [0, 1, 2, 3]);
        assert_eq!(sorted(1, 4), [4, 5, 6, 7]);
        assert_eq!(sorted(2, 4), [0, 1, 8, 9]);
        assert_eq!(sorted(1, 13), [0, 1, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9]);
        assert_eq!(sorted(usize::MAX, 10).len(), 10);
    }

    #[test]
    fn decks_are_merged_evenly() {
        // Places 1/8, 3/8, 5/8, 7/8 of the first (phase 1/4 of two decks: (j + 1/4) / 4) and 3/8, 7/8.
        assert_eq!(interleave(&[1, 2, 3, 4, 11, 12], &[4, 2], 0.0), [1, 2, 11, 3, 4, 12]);
        // Three equal decks take turns, from the second where the offset is a third.
        let drawn = [1, 2, 11, 12, 21, 22];
        assert_eq!(interleave(&drawn, &[2, 2, 2], 0.0), [1, 11, 21, 2, 12, 22]);
        assert_eq!(interleave(&drawn, &[2, 2, 2], 1.0 / 3.0), [11, 21, 1, 12, 22, 2]);
    }
}
