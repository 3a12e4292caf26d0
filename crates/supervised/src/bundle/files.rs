//! The files of a bundle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use features::FeatureSpec;
use labels::Labeler;
use market_data::store::write_file;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xlstm::weights;

use super::{FORMAT, Manifest, ModelBundle, StoredBaseline, VERSION, class_order};
use crate::calibration::Calibration;
use crate::error::SupervisedError;

const MANIFEST: &str = "bundle.json";
const WEIGHTS: &str = "weights.safetensors";
const FEATURES: &str = "features.toml";
const INPUTS: &str = "inputs.json";
const LABELER: &str = "labeler.toml";
const CALIBRATION: &str = "calibration.json";
const METRICS: &str = "metrics.json";
/// The directory of the baselines.
const BASELINES: &str = "baselines";
/// What every bundle has beside the manifest.
const FILES: [&str; 6] = [WEIGHTS, FEATURES, INPUTS, LABELER, CALIBRATION, METRICS];

pub(super) fn write(
    bundle: &ModelBundle,
    baselines: &[StoredBaseline],
    directory: &Path,
    replace: bool,
) -> Result<(), SupervisedError> {
    place(directory, replace, |building| fill(bundle, baselines, building))
}

pub(super) fn copy(from: &Path, to: &Path, replace: bool) -> Result<(), SupervisedError> {
    let manifest = checked_manifest(from)?;
    place(to, replace, |building| {
        for name in manifest.checksums.keys().map(String::as_str).chain([MANIFEST]) {
            let path = building.join(name);
            if let Some(parent) = path.parent() {
                create(parent)?;
            }
            write_file(&path, &read_bytes(&from.join(name))?)?;
        }
        Ok(())
    })
}

pub(super) fn read_baselines(directory: &Path) -> Result<Vec<StoredBaseline>, SupervisedError> {
    let manifest = checked_manifest(directory)?;
    manifest.baselines.iter().map(|name| StoredBaseline::read(&directory.join(baseline_file(name)))).collect()
}

/// Lets `fill` make the files of a bundle in a hidden neighbour of the directory, which then takes its place.
fn place(
    directory: &Path,
    replace: bool,
    fill: impl FnOnce(&Path) -> Result<(), SupervisedError>,
) -> Result<(), SupervisedError> {
    if directory.exists() {
        if !replace {
            let reason = "it exists; name another directory, or allow replacing it";
            return Err(SupervisedError::file(directory, reason));
        }
        if !directory.join(MANIFEST).exists() {
            let reason = "it exists and is no bundle, so it is not replaced; name another directory";
            return Err(SupervisedError::file(directory, reason));
        }
    }
    let building = beside(directory, "building")?;
    remove(&building)?;
    create(&building)?;
    fill(&building)?;
    // The old one steps aside, so that a complete bundle stands there at every time but the moment between two renames.
    let old = beside(directory, "old")?;
    remove(&old)?;
    if directory.exists() {
        rename(directory, &old)?;
    }
    rename(&building, directory)?;
    remove(&old)
}

fn create(directory: &Path) -> Result<(), SupervisedError> {
    std::fs::create_dir_all(directory)
        .map_err(|error| SupervisedError::file(directory, format!("cannot create the directory: {error}")))
}

fn baseline_file(name: &str) -> String {
    format!("{BASELINES}/{name}.msgpack")
}

fn fill(bundle: &ModelBundle, baselines: &[StoredBaseline], directory: &Path) -> Result<(), SupervisedError> {
    weights::save(&bundle.classifier, &weights::Manifest::new(), &directory.join(WEIGHTS), true)?;
    write_text(directory, FEATURES, &bundle.spec.to_toml()?)?;
    write_json(directory, INPUTS, &bundle.fit)?;
    write_text(directory, LABELER, &bundle.labeler.to_toml())?;
    write_json(directory, CALIBRATION, &bundle.calibration)?;
    write_json(directory, METRICS, &bundle.metrics)?;
    let mut names: Vec<String> = FILES.map(str::to_owned).to_vec();
    if !baselines.is_empty() {
        create(&directory.join(BASELINES))?;
    }
    for stored in baselines {
        let name = baseline_file(stored.baseline.kind.name());
        stored.write(&directory.join(&name))?;
        names.push(name);
    }
    let mut checksums = BTreeMap::new();
    for name in names {
        let found = checksum(&read_bytes(&directory.join(&name))?);
        checksums.insert(name, found);
    }
    let mut manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        class_order: class_order(),
        feature_hash: bundle.feature_hash().to_owned(),
        origin: bundle.origin.clone(),
        baselines: baselines.iter().map(|stored| stored.baseline.kind.name().to_owned()).collect(),
        checksums,
        checksum: String::new(),
    };
    manifest.checksum = own_checksum(&manifest, &directory.join(MANIFEST))?;
    write_json(directory, MANIFEST, &manifest)
}

/// The manifest of a bundle whose files are all as it says.
fn checked_manifest(directory: &Path) -> Result<Manifest, SupervisedError> {
    let path = directory.join(MANIFEST);
    if !path.exists() {
        let reason = format!(
            "there is no `{MANIFEST}`, so this is no model bundle; give the directory that `train-supervised` wrote"
        );
        return Err(SupervisedError::file(directory, reason));
    }
    let manifest = read_manifest(&path)?;
    for (name, expected) in &manifest.checksums {
        let path = directory.join(name);
        if checksum(&read_bytes(&path)?) != *expected {
            let reason = format!(
                "its checksum is not the one in `{MANIFEST}`: the file was changed or cut short; restore it, or train anew"
            );
            return Err(SupervisedError::file(&path, reason));
        }
    }
    Ok(manifest)
}

pub(super) fn read(directory: &Path, device: &Device) -> Result<ModelBundle, SupervisedError> {
    let manifest = checked_manifest(directory)?;
    let spec = FeatureSpec::from_toml(&read_text(directory, FEATURES)?)?;
    let fit: crate::dataset::FeatureFit = read_json(directory, INPUTS)?;
    let hash = spec.hash(manifest.origin.timeframe)?;
    if hash != manifest.feature_hash
        || hash != fit.scaler.feature_hash()
        || hash != fit.selection.feature_hash()
    {
        let reason = format!(
            "its features have the hash {hash} today, the model was trained on {}; it was made by another version of the feature formulas: train anew",
            manifest.feature_hash
        );
        return Err(SupervisedError::file(&directory.join(FEATURES), reason));
    }
    let labeler: Labeler = toml::from_str(&read_text(directory, LABELER)?)
        .map_err(|error| SupervisedError::file(&directory.join(LABELER), error.to_string()))?;
    let config =
        manifest.origin.config.network.classifier(fit.selection.kept().len(), manifest.origin.config.seed);
    let classifier = weights::load(config.init(device)?, &directory.join(WEIGHTS))?;
    let calibration: Calibration = read_json(directory, CALIBRATION)?;
    calibration.validate()?;
    Ok(ModelBundle {
        classifier,
        spec,
        fit,
        labeler,
        calibration,
        metrics: read_json(directory, METRICS)?,
        origin: manifest.origin,
    })
}

fn read_manifest(path: &Path) -> Result<Manifest, SupervisedError> {
    let text = String::from_utf8_lossy(&read_bytes(path)?).into_owned();
    // Format and version first: of another version nothing else can be expected.
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| SupervisedError::file(path, format!("it cannot be read: {error}")))?;
    if value["format"] != FORMAT || value["version"] != VERSION {
        let reason = format!(
            "it is `{}` version {}, this program reads `{FORMAT}` version {VERSION}; use the program that wrote it, or train anew",
            value["format"].as_str().unwrap_or("(nothing)"),
            value["version"]
        );
        return Err(SupervisedError::file(path, reason));
    }
    let manifest: Manifest = serde_json::from_value(value)
        .map_err(|error| SupervisedError::file(path, format!("it cannot be read: {error}")))?;
    if own_checksum(&manifest, path)? != manifest.checksum {
        let reason = "its own checksum does not fit: the file was changed; restore it, or train anew";
        return Err(SupervisedError::file(path, reason));
    }
    let of_baselines = manifest.baselines.iter().map(|name| baseline_file(name));
    for name in FILES.into_iter().map(str::to_owned).chain(of_baselines) {
        if !manifest.checksums.contains_key(&name) {
            return Err(SupervisedError::file(path, format!("it has no checksum of `{name}`; train anew")));
        }
    }
    if manifest.class_order != class_order() {
        let reason = format!("its classes are {:?}, here they are {:?}", manifest.class_order, class_order());
        return Err(SupervisedError::file(path, reason));
    }
    Ok(manifest)
}

/// The checksum of everything in the manifest but its own checksum.
fn own_checksum(manifest: &Manifest, path: &Path) -> Result<String, SupervisedError> {
    let rest = Manifest { checksum: String::new(), ..manifest.clone() };
    let text = serde_json::to_string(&rest)
        .map_err(|error| SupervisedError::file(path, format!("cannot be written: {error}")))?;
    Ok(checksum(text.as_bytes()))
}

fn checksum(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// A hidden neighbour of the directory, so that a rename stays on one file system.
fn beside(directory: &Path, word: &str) -> Result<PathBuf, SupervisedError> {
    let name = directory
        .file_name()
        .ok_or_else(|| SupervisedError::file(directory, "it names no directory; give one with a name"))?;
    Ok(directory.with_file_name(format!(".{}.{word}", name.to_string_lossy())))
}

fn remove(directory: &Path) -> Result<(), SupervisedError> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SupervisedError::file(directory, format!("cannot remove what an earlier run left: {error}")))
        }
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), SupervisedError> {
    std::fs::rename(from, to)
        .map_err(|error| SupervisedError::file(to, format!("cannot rename {}: {error}", from.display())))
}

fn write_text(directory: &Path, name: &str, text: &str) -> Result<(), SupervisedError> {
    Ok(write_file(&directory.join(name), text.as_bytes())?)
}

fn write_json<T: Serialize>(directory: &Path, name: &str, value: &T) -> Result<(), SupervisedError> {
    let path = directory.join(name);
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| SupervisedError::file(&path, format!("cannot be written: {error}")))?;
    write_text(directory, name, &(text + "\n"))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, SupervisedError> {
    std::fs::read(path).map_err(|error| SupervisedError::file(path, format!("cannot be read: {error}")))
}

fn read_text(directory: &Path, name: &str) -> Result<String, SupervisedError> {
    let path = directory.join(name);
    String::from_utf8(read_bytes(&path)?).map_err(|_| SupervisedError::file(&path, "it is no text"))
}

fn read_json<T: DeserializeOwned>(directory: &Path, name: &str) -> Result<T, SupervisedError> {
    let path = directory.join(name);
    serde_json::from_str(&read_text(directory, name)?)
        .map_err(|error| SupervisedError::file(&path, format!("it cannot be read: {error}")))
}
