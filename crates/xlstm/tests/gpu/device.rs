//! The device under test.

use burn::tensor::Device;
use std::io::Write;

/// The GPU; where there is none, a line on standard error, or a failure if `XLSTM_REQUIRE_GPU` is 1.
pub(crate) fn device(test: &str) -> Option<Device> {
    let device = xlstm::gpu_device();
    if device.is_none() {
        let required = std::env::var("XLSTM_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "{test}: no GPU device, and XLSTM_REQUIRE_GPU asks for one");
        // Straight to the stream: the harness keeps what tests print and shows it only where one fails.
        let line = format!("NOT RUN: no GPU device ({test})\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    device
}
