//! Ways to choose some of a number of things.

/// All ways to choose `chosen` of `0..items`, each ascending, in lexicographic order.
pub(super) fn combinations(items: usize, chosen: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    extend(items, chosen, &mut Vec::with_capacity(chosen), &mut all);
    all
}

fn extend(items: usize, chosen: usize, prefix: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    let Some(missing) = chosen.checked_sub(prefix.len()).filter(|missing| *missing > 0) else {
        all.push(prefix.clone());
        return;
    };
    let first = prefix.last().map_or(0, |last| last + 1);
    for item in first..(items + 1).saturating_sub(missing) {
        prefix.push(item);
        extend(items, chosen, prefix, all);
        prefix.pop();
    }
}
