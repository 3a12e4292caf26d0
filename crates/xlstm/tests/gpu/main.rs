//! The network on a GPU: the cells' kernels against golden files and the plain reference, whole networks against the
//! CPU. `--features cuda` takes the first CUDA device, `--features wgpu` the default graphics device.
//!
//! Where there is no device the tests say so on standard error and check nothing; with `XLSTM_REQUIRE_GPU=1` they
//! fail instead.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../network/cases.rs"]
#[expect(dead_code, reason = "golden networks and the list of CPU backends are for the CPU's tests")]
mod cases;
#[path = "../network/cell_cases.rs"]
mod cell_cases;
#[path = "../cells/cases.rs"]
#[expect(dead_code, reason = "other tests draw other numbers")]
mod cell_files;
mod cells;
mod device;
mod golden;
mod network;
#[path = "../network/networks.rs"]
mod networks;
