//! Which GPU there is.

use burn::tensor::Device;

/// The GPU that the features of this crate and this machine have in common: the first CUDA device (feature `cuda`),
/// else the default graphics device (feature `wgpu`; it may be one that a driver simulates on the CPU); `None`
/// where a small computation on it fails.
///
/// Burn makes devices lazily and panics where there is none, some of it on a thread of its own: a message of such a
/// panic may appear on standard error. The first call tries; later calls remember.
#[must_use]
pub fn gpu_device() -> Option<Device> {
    #[cfg(feature = "cube")]
    return available::gpu_device();
    #[cfg(not(feature = "cube"))]
    return None;
}

#[cfg(feature = "cube")]
mod available {
    use burn::tensor::{Device, Tensor};
    use std::panic::catch_unwind;
    use std::sync::OnceLock;

    static FOUND: OnceLock<Option<Device>> = OnceLock::new();

    pub(super) fn gpu_device() -> Option<Device> {
        FOUND.get_or_init(|| candidates().into_iter().find_map(working)).clone()
    }

    fn candidates() -> Vec<fn() -> Device> {
        vec![
            #[cfg(feature = "cuda")]
            || Device::cuda(0),
            #[cfg(feature = "wgpu")]
            || Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        ]
    }

    /// The device, if it adds three ones to three.
    fn working(device: fn() -> Device) -> Option<Device> {
        let tried = catch_unwind(|| {
            let device = device();
            let sum = Tensor::<1>::ones([3], &device).sum().try_into_scalar::<f32>();
            (device, sum.ok())
        });
        tried.ok().filter(|(_, sum)| *sum == Some(3.0)).map(|(device, _)| device)
    }
}
