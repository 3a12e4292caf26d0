//! Choosing the best over purged paths: by hand, and against numpy.

use super::super::*;
use super::{close, noise};

#[test]
fn a_choice_by_hand() {
    // Three groups of two rows, one tests: three splits, one path. The criterion is the mean.
    //              group 0         group 1        group 2
    let trials = [
        /* A */ vec![0.10, 0.20, /**/ 0.00, -0.10, /**/ 0.10, 0.00],
        /* B */ vec![0.00, -0.10, /**/ 0.10, 0.10, /**/ -0.10, 0.05],
    ];
    let config = PurgedPathsConfig { groups: 3, test_groups: 1, purge: 0, embargo: 0 };
    let found = selection_paths(&trials, Statistic::Mean, &config).unwrap();
    // Tested group, mean of A and of B on the other two, the choice, and its mean on the tested group.
    let cards = [
        (0, 0.0, 0.0375, 1, -0.05), // (0 − 0.1 + 0.1 + 0)/4; (0.1 + 0.1 − 0.1 + 0.05)/4; (0 − 0.1)/2
        (1, 0.1, -0.0375, 0, -0.05), // (0.1 + 0.2 + 0.1 + 0)/4; (0 − 0.1 − 0.1 + 0.05)/4; (0 − 0.1)/2
        (2, 0.05, 0.025, 0, 0.05),  // (0.1 + 0.2 + 0 − 0.1)/4; (0 − 0.1 + 0.1 + 0.1)/4; (0.1 + 0)/2
    ];
    for ((group, a, b, choice, test), split) in cards.into_iter().zip(&found.splits) {
        assert_eq!((split.test_groups.as_slice(), split.trial), (&[group][..], choice));
        close(split.train, f64::max(a, b), 1e-12);
        close(split.test, test, 1e-12);
    }
    // B, A, A: 0, −0.1, 0, −0.1, 0.1, 0. 0.9 · 0.9 · 1.1 − 1 = −0.109; mean −1/60, variance (0.03 −
    // 6/3600)/5.
    let path = &found.paths[0];
    assert_eq!((found.paths.len(), path.trials.as_slice()), (1, &[1, 0, 0][..]));
    close(path.total_return, -0.109, 1e-12);
    close(path.sharpe, -1.0 / 60.0 / ((0.03_f64 - 6.0 / 3_600.0) / 5.0).sqrt(), 1e-12);
    assert_eq!(found.share_of_losing_paths, 1.0);
    close(found.mean_train, 0.0625, 1e-12);
    close(found.mean_test, -0.05 / 3.0, 1e-12);
    assert_eq!(found.chosen, [2.0 / 3.0, 1.0 / 3.0]);
}

#[test]
fn purge_and_embargo_change_the_choice_by_hand() {
    // Group 1 (rows 2 and 3) tests. A is better before it, B after: without purge 0.4 against 0.3; a purge of
    // 1 leaves rows 0 and 5, an embargo of 0: A 0.0 + 0.0, B 0.05 + 0.05.
    let trials = [vec![0.0, 0.4, 0.01, 0.02, 0.0, 0.0], vec![0.05, 0.0, 0.03, 0.04, 0.2, 0.05]];
    let choice = |purge, embargo| {
        let config = PurgedPathsConfig { groups: 3, test_groups: 1, purge, embargo };
        selection_paths(&trials, Statistic::Mean, &config).map(|found| found.splits[1].trial)
    };
    assert_eq!(choice(0, 0).unwrap(), 0);
    assert_eq!(choice(1, 0).unwrap(), 1);
    // An embargo alone takes row 4: A 0.4, B 0.1.
    assert_eq!(choice(0, 1).unwrap(), 0);
}

/// Python, with the numbers of `noise` as `x = 0.0003 + 0.02 · noise(seed, 123)` for the seeds 1 to 5:
///
/// ```text
/// for test in itertools.combinations(range(n), k):
///     rows = np.concatenate([groups[g] for g in test])
///     banned = {r + d for r in rows for d in range(-purge, purge + 1)}
///     ends = [r for r in rows if r + 1 not in rows]
///     banned |= {e + d for e in ends for d in range(1, purge + embargo + 1)}
///     train = np.array([r for r in range(T) if r not in banned])
///     s = [sharpe(y[train]) for y in x]; b = int(np.argmax(s))
///     pick.append((test, b)); tr.append(s[b]); te.append(sharpe(x[b][rows]))
/// seen = [0] * n; paths = [[None] * n for _ in range(5)]
/// for test, b in pick:
///     for g in test: paths[seen[g]][g] = b; seen[g] += 1
/// rets = [np.concatenate([x[b][groups[g]] for g, b in enumerate(p)]) for p in paths]
/// ```
#[test]
fn choices_and_paths_are_those_of_numpy() {
    let trials: Vec<Vec<f64>> =
        (1..6).map(|seed| noise(seed, 123).iter().map(|value| 0.0003 + 0.02 * value).collect()).collect();
    let config = PurgedPathsConfig { groups: 6, test_groups: 2, purge: 3, embargo: 2 };
    let found = selection_paths(&trials, Statistic::Sharpe, &config).unwrap();
    let picked: Vec<usize> = found.splits.iter().map(|split| split.trial).collect();
    assert_eq!(picked, [3, 3, 1, 3, 3, 3, 2, 2, 3, 0, 0, 3, 2, 2, 2]);
    let paths: [([usize; 6], f64, f64); 5] = [
        ([3, 3, 3, 1, 3, 3], 0.04291924894490306, 0.029598196420101974),
        ([3, 3, 3, 2, 2, 3], 0.020673130422093167, 0.012539685937051681),
        ([1, 2, 0, 0, 0, 3], -0.03611995214191657, -0.026394617351058303),
        ([3, 2, 0, 2, 2, 2], -0.05547289434654064, -0.039075846510186585),
        ([3, 3, 3, 2, 2, 2], 0.0004106154352046058, -0.0016910030258562303),
    ];
    for (path, (trials, sharpe, total)) in found.paths.iter().zip(paths) {
        assert_eq!(path.trials, trials);
        close(path.sharpe, sharpe, 1e-12);
        close(path.total_return, total, 1e-12);
    }
    close(found.mean_train, 0.14687127922305254, 1e-12);
    close(found.mean_test, -0.006309489449514742, 1e-12);
    let line = found.degradation.unwrap();
    close(line.slope, -1.208532727957146, 1e-10);
    close(line.intercept, 0.17118925828847664, 1e-10);
    close(found.sharpe.p5, -0.051602305905615826, 1e-12);
    close(found.sharpe.p95, 0.03847002524034108, 1e-12);
    assert_eq!(found.share_of_losing_paths, 0.6);
}

#[test]
fn what_cannot_be_chosen_from_is_refused_in_words() {
    let config = PurgedPathsConfig { groups: 3, test_groups: 1, purge: 0, embargo: 0 };
    let fine = noise(1, 12);
    let says = |trials: &[Vec<f64>], words: &str| {
        let error = selection_paths(trials, Statistic::Sharpe, &config).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    let with = |row: usize, value: f64| {
        let mut trial = fine.clone();
        trial[row] = value;
        trial
    };
    says(std::slice::from_ref(&fine), "two or more");
    says(&[fine.clone(), fine[1..].to_vec()], "11 rows");
    says(&[fine.clone(), with(3, f64::NAN)], "row 3 is not a finite number");
    says(&[fine.clone(), with(4, -1.0)], "row 4 lost everything");
    says(&[fine.clone(), vec![0.01; 12]], "trial 1 over rows");
    says(&[noise(1, 5), noise(2, 5)], "fewer than two rows");
    // A trial that never moves is worth 0, and is chosen where the others lose.
    let losing: Vec<f64> = (0..12).map(|row| if row % 2 == 0 { -0.01 } else { -0.02 }).collect();
    let found = selection_paths(&[losing, vec![0.0; 12]], Statistic::Sharpe, &config).unwrap();
    assert_eq!(
        (found.paths[0].sharpe, found.paths[0].total_return, found.share_of_losing_paths),
        (0.0, 0.0, 0.0)
    );
}
