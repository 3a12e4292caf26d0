//! Learns on a market of known truth, and says how far from the best it is on markets that it has not seen.
//!
//! `cargo run --release -p sim --example known_markets -- --algorithm ppo --market clairvoyant --seed 0 --output-format json`
//!
//! `--market clairvoyant` shows the next return (`--foresight 2`: the next two) and judges profit after costs against the best path
//! with all prices known and against the best policy that sees the same. `--market noise` shows past returns, which carry nothing, and
//! judges turnover against a uniformly random agent's. `--break shuffled-features` and `--break free-training` spoil what is learned.
//! Exit code 1: below 90 % of the best, or above 1 % of the random turnover, at the worse end of the interval.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program, not the library")]

#[path = "../tests/known_truth/mod.rs"]
mod known_truth;

use std::process::ExitCode;
use std::time::Instant;

use known_truth::{
    Algorithm, CHOSEN_ON, Estimate, Fallible, Fault, JUDGED_ON, JUDGES, Kind, Settings, Trial, Verdict,
};
use serde_json::{Value, json};

struct Arguments {
    algorithm: Algorithm,
    kind: Kind,
    foresight: usize,
    fault: Option<Fault>,
    seed: u64,
    judged_on: u64,
    steps: Option<u64>,
    json: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut given = Arguments {
        algorithm: Algorithm::Ppo,
        kind: Kind::Clairvoyant,
        foresight: 1,
        fault: None,
        seed: 0,
        judged_on: JUDGED_ON,
        steps: None,
        json: false,
    };
    let mut rest = std::env::args().skip(1);
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{name} {value}: {error}"));
        match (name.as_str(), value.as_str()) {
            ("--algorithm", "ppo") => given.algorithm = Algorithm::Ppo,
            ("--algorithm", "a2c") => given.algorithm = Algorithm::A2c,
            ("--algorithm", "dqn") => given.algorithm = Algorithm::Dqn,
            ("--market", "clairvoyant") => given.kind = Kind::Clairvoyant,
            ("--market", "noise") => given.kind = Kind::Noise,
            ("--foresight", "1") => given.foresight = 1,
            ("--foresight", "2") => given.foresight = 2,
            ("--break", "nothing") => given.fault = None,
            ("--break", "shuffled-features") => given.fault = Some(Fault::ShuffledFeatures),
            ("--break", "free-training") => given.fault = Some(Fault::FreeTraining),
            ("--judges", "chosen-on") => given.judged_on = CHOSEN_ON,
            ("--judges", "new") => given.judged_on = JUDGED_ON,
            ("--seed", _) => given.seed = number()?,
            ("--steps", _) => given.steps = Some(number()?),
            ("--output-format", "json") => given.json = true,
            ("--output-format", "text") => given.json = false,
            _ => {
                return Err(format!(
                    "{name} {value} is not known: --algorithm ppo|a2c|dqn, --market clairvoyant|noise, --foresight 1|2, --seed N, \
                     --steps N, --break nothing|shuffled-features|free-training, --judges new|chosen-on, --output-format text|json"
                ));
            }
        }
    }
    // Their markets would be those that judge.
    if given.seed >= CHOSEN_ON / 16 {
        return Err(format!("--seed {} is too large; give one below {}", given.seed, CHOSEN_ON / 16));
    }
    Ok(given)
}

fn total_steps(settings: &mut Settings) -> &mut u64 {
    match settings {
        Settings::Ppo(config) => &mut config.total_steps,
        Settings::A2c(config) => &mut config.total_steps,
        Settings::Dqn(config) => &mut config.total_steps,
    }
}

/// Name of the algorithm, and its settings.
fn named(settings: &Settings) -> (&'static str, Value) {
    match settings {
        Settings::Ppo(config) => ("ppo", json!(config)),
        Settings::A2c(config) => ("a2c", json!(config)),
        Settings::Dqn(config) => ("dqn", json!(config)),
    }
}

fn estimate(of: &Estimate) -> Value {
    json!({ "mean": of.mean, "half_width": of.half_width })
}

fn print_json(trial: &Trial, verdict: &Verdict, seconds: f64) {
    let (algorithm, settings) = named(&trial.settings);
    let result = match verdict {
        Verdict::Earned { of_perfect_foresight, best_informed, of_best_informed } => json!({
            "share_of_perfect_foresight": estimate(of_perfect_foresight),
            "share_of_perfect_foresight_of_best_informed_policy": estimate(best_informed),
            "share_of_best_informed_policy": of_best_informed,
        }),
        Verdict::Traded { of_random, exposed, turnover, random_turnover } => json!({
            "turnover_over_random": estimate(of_random),
            "share_of_steps_with_a_position": exposed,
            "turnover_per_step": turnover,
            "random_turnover_per_step": random_turnover,
        }),
    };
    let value = json!({
        "algorithm": algorithm,
        "market": format!("{:?}", trial.kind).to_lowercase(),
        "foresight": (trial.kind == Kind::Clairvoyant).then_some(trial.foresight),
        "broken": trial.fault.map(|fault| format!("{fault:?}")),
        "seed": trial.seed,
        "steps": settings["total_steps"],
        "settings": settings,
        "judged_markets": JUDGES,
        "first_judged_seed": trial.judged_on,
        "result": result,
        "passes": verdict.passes(),
        "seconds": (seconds * 10.0).round() / 10.0,
    });
    println!("{value}");
}

fn print_text(trial: &Trial, verdict: &Verdict, seconds: f64) {
    let percent = |of: &Estimate| format!("{:.2} ± {:.2} %", 100.0 * of.mean, 100.0 * of.half_width);
    let found = match verdict {
        Verdict::Earned { of_perfect_foresight: share, best_informed: best, of_best_informed } => format!(
            "{} of the best path (the best policy that sees the same: {}), {:.2} % of that policy",
            percent(share),
            percent(best),
            100.0 * of_best_informed
        ),
        Verdict::Traded { of_random, exposed, .. } => format!(
            "{} of a random agent's turnover, a position in {:.2} % of steps",
            percent(of_random),
            100.0 * exposed
        ),
    };
    let ((algorithm, _), Trial { kind, seed, .. }) = (named(&trial.settings), trial);
    println!("{algorithm} on {kind:?} seed {seed}: {found}; {JUDGES} new markets, {seconds:.1} s");
}

fn run(given: &Arguments) -> Fallible<bool> {
    let mut settings = Settings::of(given.algorithm);
    if let Some(steps) = given.steps {
        *total_steps(&mut settings) = steps;
    }
    let trial = Trial {
        kind: given.kind,
        foresight: given.foresight,
        fault: given.fault,
        seed: given.seed,
        judged_on: given.judged_on,
        settings,
    };
    let begin = Instant::now();
    let verdict = trial.run()?;
    let print = if given.json { print_json } else { print_text };
    print(&trial, &verdict, begin.elapsed().as_secs_f64());
    Ok(verdict.passes())
}

fn main() -> ExitCode {
    match arguments() {
        Ok(given) => match run(&given) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(2)
            }
        },
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}
