//! Where training happens.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// The processor, with Burn's newer backend.
    #[default]
    Flex,
    /// The processor, with Burn's older backend: slower, and coarser in some functions.
    Ndarray,
    /// A GPU, in programs built with the feature `cuda` or `wgpu`.
    Gpu,
}

impl DeviceKind {
    /// The device.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] where the program was built without it, or the machine has none.
    #[expect(deprecated, reason = "Burn deprecates ndarray in favour of flex; it stays selectable")]
    pub fn device(self) -> Result<Device, SupervisedError> {
        match self {
            Self::Flex => Ok(Device::flex()),
            Self::Ndarray => Ok(Device::ndarray()),
            Self::Gpu => xlstm::gpu_device().ok_or_else(|| {
                let remedy = "there is none that works; build the program with `--features cuda` or `--features wgpu` on a machine that has one, or give `flex`";
                SupervisedError::config("device", "gpu", remedy)
            }),
        }
    }
}
