//! What the documents presuppose, and how their commands are made short without touching a letter of them.

/// Documents whose commands are checked and not run.
const ONLY_CHECKED: &[(&str, &str)] = &[
    ("docs/results.md", "hours, on real candles"),
    ("docs/benchmarks.md", "measurements, with peers or real candles"),
];

/// Why nothing of a document is run.
pub(super) fn only_checked(document: &str) -> Option<&'static str> {
    ONLY_CHECKED.iter().find(|(path, _)| *path == document).map(|(_, reason)| *reason)
}

/// Documents that say in another language what another one says: their commands are the same.
pub(super) const TRANSLATIONS: &[(&str, &str)] = &[("README.ru.md", "README.md")];

/// Commands of a shell that make what a document speaks of before it has a command for it.
pub(super) fn presupposed(document: &str) -> &'static [&'static str] {
    match document {
        // Candles of the user's own.
        "docs/features.md" => &[
            "data-loader generate --store store --symbols 1 --candles 6000",
            "data-loader export --store store --out - > candles.csv.gz",
        ],
        // Hours of several markets, and a model that was trained on them.
        "docs/reinforcement-learning.md" => &[
            "data-loader generate --model planted --store store --symbols 2 --candles 6000 --timeframe 1h",
            "data-loader export --store store --out data",
            "for file in data/*.csv; do mv \"$file\" \"$file.gz\"; done",
            "train-supervised --data data --name hourly",
        ],
        // Candles of a later time, of the same market.
        "docs/supervised.md" => &[
            "data-loader generate --model planted --store later --symbols 2 --candles 3000 --start 2025-01-01 --seed 1",
        ],
        _ => &[],
    }
}

/// Settings under which all programs do their whole work with little of it. They come from the environment, which every
/// program honours, so that the commands stay as they are.
pub(super) const SMALL: &[(&str, &str)] = &[
    ("SUPERVISED__EPOCHS", "1"),
    ("SUPERVISED__NETWORK__WIDTH", "16"),
    ("SUPERVISED__NETWORK__HEADS", "2"),
    ("SUPERVISED__NETWORK__MLSTM__ROUND_TO", "16"),
    ("SUPERVISED__NETWORK__SLSTM__ROUND_TO", "16"),
    ("BASELINES__NEAREST_NEIGHBOURS__MAXIMUM_TRAINING_ROWS", "1000"),
    ("BASELINES__RANDOM_FOREST__TREES", "3"),
    ("BASELINES__RANDOM_FOREST__DEPTH", "4"),
    ("BASELINES__GRADIENT_BOOSTING__ROUNDS", "3"),
    ("BASELINES__GRADIENT_BOOSTING__DEPTH", "3"),
    ("BASELINES__PERCEPTRON__WIDTH", "8"),
    ("BASELINES__CONVOLUTIONAL__WIDTH", "8"),
    ("BASELINES__CONVOLUTIONAL__LAYERS", "2"),
    ("BASELINES__LSTM__WIDTH", "8"),
    ("BASELINES__LSTM__LAYERS", "1"),
    ("BASELINES__TRANSFORMER__WIDTH", "8"),
    ("BASELINES__TRANSFORMER__LAYERS", "1"),
    ("BASELINES__TRANSFORMER__WINDOW", "4"),
    ("TUNING__FOLDS", "1"),
    (
        "TUNING__SPACE",
        "[{ key = \"learning_rate.base\", kind = \"float\", low = 1e-4, high = 5e-3, log = true }]",
    ),
    ("EXPLANATION__WINDOWS", "4"),
    ("EXPLANATION__STEPS", "8"),
    ("EXPLANATION__BACKGROUND__WINDOWS", "4"),
    ("EXPLANATION__PERMUTATION__REPEATS", "1"),
    ("POLICY__VALIDATIONS", "1"),
    ("POLICY__RECIPE__PPO__TOTAL_STEPS", "10000"),
    ("RANDOM_AGENTS", "2"),
    ("MONTE_CARLO__PATHS", "1000"),
    ("STRATEGIES__NEAREST_NEIGHBOURS__MEMORY", "500"),
    ("AUDIT__CUTS", "2"),
    ("AUDIT__STARTS", "2"),
    ("AUDIT__LIVE_CANDLES", "1000"),
];
