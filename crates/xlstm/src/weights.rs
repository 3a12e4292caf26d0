//! Weights in `safetensors` files, with a manifest in the file's own metadata.
//!
//! A file holds every parameter under its path in the module (`layers.0.layer.query`), and as metadata the format, the
//! configuration as JSON and whatever else the caller notes down. Reading compares names, shapes and number types
//! and reports *every* mismatch in one error; nothing is loaded in part.

use crate::config::XlstmConfig;
use crate::error::XlstmError;
use crate::head::Head;
use crate::stack::Xlstm;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor};
use burn_store::{ModuleSnapshot, SafetensorsStore};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;

pub mod torch;

/// Name of the format in the manifest.
const FORMAT: &str = "matrela-xlstm";
/// Its version: a reader refuses another one.
const VERSION: &str = "1";
const FORMAT_KEY: &str = "matrela.format";
const VERSION_KEY: &str = "matrela.version";
const CONFIG_KEY: &str = "matrela.config";

/// What a file of weights says about itself.
pub type Manifest = BTreeMap<String, String>;

/// Writes the parameters of any module and a manifest. The file appears complete or not at all; the same weights and
/// manifest give the same bytes.
///
/// # Errors
/// [`XlstmError::File`] where the file cannot be written, or is there already and `replace` is false.
pub fn save<M: Module>(
    module: &M,
    manifest: &Manifest,
    path: &Path,
    replace: bool,
) -> Result<(), XlstmError> {
    let fault = |error: &dyn std::fmt::Display| XlstmError::File {
        path: path.to_owned(),
        reason: format!("the weights cannot be written: {error}"),
    };
    if !replace && path.exists() {
        return Err(fault(&"it is there already: name another file, or allow replacing it"));
    }
    let mut store = SafetensorsStore::from_bytes(None).skip_enum_variants(true);
    store = store.metadata(FORMAT_KEY, FORMAT).metadata(VERSION_KEY, VERSION);
    for (key, value) in manifest {
        store = store.metadata(key, value);
    }
    module.save_into(&mut store).map_err(|error| fault(&error))?;
    let mut bytes = store.get_bytes().map_err(|error| fault(&error))?;
    sort_metadata(&mut bytes).map_err(|error| fault(&error))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path)).map_err(|error| {
        // What is left of it is of no use; that it cannot be removed says no more than the error does.
        let _ = std::fs::remove_file(&partial);
        fault(&error)
    })
}

/// Puts the entries of the file's metadata in order: the library writes them as a hash map comes, differently each time.
fn sort_metadata(bytes: &mut [u8]) -> Result<(), String> {
    const OPENING: &[u8] = b"{\"__metadata__\":";
    let not_one = || "the library wrote another header than this program knows".to_owned();
    let (length, rest) = bytes.split_first_chunk_mut::<8>().ok_or_else(not_one)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| not_one())?;
    let header = rest.get_mut(..length).ok_or_else(not_one)?;
    let entries = header.strip_prefix(OPENING).ok_or_else(not_one)?;
    let mut values = serde_json::Deserializer::from_slice(entries).into_iter::<Manifest>();
    let sorted = values.next().ok_or_else(not_one)?.map_err(|error| error.to_string())?;
    let end = OPENING.len() + values.byte_offset();
    let text = serde_json::to_vec(&sorted).map_err(|error| error.to_string())?;
    let place = header.get_mut(OPENING.len()..end).filter(|place| place.len() == text.len());
    place.ok_or_else(not_one)?.copy_from_slice(&text);
    Ok(())
}

/// Reads the manifest of a file that [`save`] wrote.
///
/// # Errors
/// [`XlstmError::File`] where it cannot be read or is no such file.
pub fn manifest(path: &Path) -> Result<Manifest, XlstmError> {
    let bytes = read(path)?;
    let fault = |reason: String| XlstmError::File { path: path.to_owned(), reason };
    let (_, metadata) = SafeTensors::read_metadata(&bytes)
        .map_err(|error| fault(format!("this is no safetensors file: {error}")))?;
    let manifest: Manifest = metadata.metadata().clone().unwrap_or_default().into_iter().collect();
    match (manifest.get(FORMAT_KEY).map(String::as_str), manifest.get(VERSION_KEY).map(String::as_str)) {
        (Some(FORMAT), Some(VERSION)) => Ok(manifest),
        (Some(FORMAT), version) => Err(fault(format!(
            "the weights are of version {}, this program reads version {VERSION}",
            version.unwrap_or("(none)")
        ))),
        _ => Err(fault(
            "the file has no manifest of this project; weights of the public PyTorch reference go through \
             `weights::torch::convert`"
                .to_owned(),
        )),
    }
}

/// Puts the weights of a file into a module of the same architecture.
///
/// # Errors
/// [`XlstmError::File`] where the file cannot be read; [`XlstmError::Weights`] with every missing, unknown or unlike
/// tensor, and the module unchanged.
pub fn load<M: Module>(module: M, path: &Path) -> Result<M, XlstmError> {
    manifest(path)?;
    load_bytes(module, read(path)?, path)
}

/// As [`load`], from the bytes of a file; `path` is for messages.
pub(crate) fn load_bytes<M: Module>(module: M, bytes: Vec<u8>, path: &Path) -> Result<M, XlstmError> {
    let fault = |reason: String| XlstmError::File { path: path.to_owned(), reason };
    let tensors = SafeTensors::deserialize(&bytes)
        .map_err(|error| fault(format!("this is no safetensors file: {error}")))?;
    let mut expected = Shapes::default();
    module.visit(&mut expected);
    let mut mismatches = Vec::new();
    for (name, (shape, number_type)) in &expected.found {
        match tensors.tensor(name) {
            Err(_) => mismatches.push(format!("`{name}` {shape:?} is missing in the file")),
            Ok(view) if view.shape() != shape => mismatches.push(format!(
                "`{name}` has the shape {:?} in the file, the network needs {shape:?}",
                view.shape()
            )),
            Ok(view) if format!("{:?}", view.dtype()) != format!("{number_type:?}") => {
                mismatches.push(format!(
                    "`{name}` is of type {:?} in the file, the network's is {number_type:?}",
                    view.dtype()
                ));
            }
            Ok(_) => {}
        }
    }
    let unknown = tensors.names().into_iter().filter(|name| !expected.found.contains_key(*name));
    let mut unknown: Vec<_> = unknown.map(|name| format!("`{name}` is unknown to the network")).collect();
    unknown.sort();
    mismatches.extend(unknown);
    if !mismatches.is_empty() {
        return Err(XlstmError::Weights { path: path.to_owned(), mismatches });
    }
    drop(tensors);
    let mut store = SafetensorsStore::from_bytes(Some(bytes)).skip_enum_variants(true);
    let mut module = module;
    module.load_from(&mut store).map_err(|error| fault(format!("the weights cannot be loaded: {error}")))?;
    Ok(module)
}

fn read(path: &Path) -> Result<Vec<u8>, XlstmError> {
    std::fs::read(path).map_err(|error| XlstmError::File {
        path: path.to_owned(),
        reason: format!("the weights cannot be read: {error}"),
    })
}

impl Xlstm {
    /// Writes weights and configuration.
    ///
    /// # Errors
    /// As [`save`].
    pub fn save(&self, path: &Path, replace: bool) -> Result<(), XlstmError> {
        save(self, &manifest_of(self.config(), path)?, path, replace)
    }

    /// A network from a file that [`Self::save`] wrote.
    ///
    /// # Errors
    /// As [`load`]; also where the file's configuration cannot be read.
    pub fn load(path: &Path, device: &Device) -> Result<Self, XlstmError> {
        let config: XlstmConfig = config_of(path)?;
        load(config.init(device)?, path)
    }
}

impl Head {
    /// Writes weights and configuration.
    ///
    /// # Errors
    /// As [`save`].
    pub fn save(&self, path: &Path, replace: bool) -> Result<(), XlstmError> {
        save(self, &manifest_of(self.config(), path)?, path, replace)
    }

    /// A head on outputs of `width`, from a file that [`Self::save`] wrote.
    ///
    /// # Errors
    /// As [`load`]; also where the file's configuration cannot be read.
    pub fn load(path: &Path, width: usize, device: &Device) -> Result<Self, XlstmError> {
        let config: crate::head::HeadConfig = config_of(path)?;
        load(config.init(width, device)?, path)
    }
}

fn manifest_of<C: serde::Serialize>(config: &C, path: &Path) -> Result<Manifest, XlstmError> {
    let text = serde_json::to_string(config).map_err(|error| XlstmError::File {
        path: path.to_owned(),
        reason: format!("the configuration cannot be written: {error}"),
    })?;
    Ok(Manifest::from([(CONFIG_KEY.to_owned(), text)]))
}

fn config_of<C: serde::de::DeserializeOwned>(path: &Path) -> Result<C, XlstmError> {
    let manifest = manifest(path)?;
    let fault = |reason: String| XlstmError::File { path: path.to_owned(), reason };
    let text =
        manifest.get(CONFIG_KEY).ok_or_else(|| fault(format!("the manifest has no `{CONFIG_KEY}`")))?;
    serde_json::from_str(text).map_err(|error| fault(format!("the configuration cannot be read: {error}")))
}

/// Shapes and number types of all parameters, by path without the names of enum variants.
#[derive(Default)]
struct Shapes {
    path: Vec<(String, bool)>,
    found: BTreeMap<String, (Vec<usize>, DType)>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        // Burn enters an enum's variant as a module of the enum.
        let variant = container_type.starts_with("Enum:");
        self.path.push((name.to_owned(), variant));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let names: Vec<&str> =
            self.path.iter().filter(|(_, variant)| !variant).map(|(name, _)| name.as_str()).collect();
        let value = param.val();
        self.found.insert(names.join("."), (value.dims().to_vec(), value.dtype()));
    }
}

/// Changes the number type of every parameter: f64 for checks, f32 for use.
pub struct NumberType(pub DType);

impl ModuleMapper for NumberType {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, _) = param.consume();
        let active = tensor.is_require_grad();
        let device = tensor.device();
        // A fresh leaf: gradients must not go to what the tensor was made from.
        let data = tensor.detach().cast(self.0).into_data();
        Param::initialized(id, Tensor::from_data(data, (&device, self.0)).set_require_grad(active))
    }
}
