//! Layered configuration: defaults < files < environment < `--set`.

mod effective;
mod error;
mod kinds;
mod loader;
mod reference;
mod schema;
mod setting;
mod sources;

pub use effective::EffectiveSetting;
pub use error::ConfigurationError;
pub use loader::{ConfigLoader, Loaded};
pub use setting::Origin;
pub use sources::Assignment;
