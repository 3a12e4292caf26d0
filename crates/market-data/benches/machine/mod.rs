//! What a measurement names beside its numbers: machine, commit, command.

/// Prints the header of a benchmark to stderr.
#[expect(clippy::print_stderr, reason = "a measurement names its machine and commit")]
pub(crate) fn print_header(bench: &str) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    eprintln!("machine: {}, {threads} threads", processor());
    eprintln!("commit: {}", commit());
    eprintln!("command: cargo bench --workspace --bench {bench}");
}

fn processor() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| Some(text.lines().find(|line| line.starts_with("model name"))?.to_owned()))
        .and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn commit() -> String {
    std::process::Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(
            || "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
}
