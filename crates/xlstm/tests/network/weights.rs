//! Files of weights: exact, complete, and refused with every reason at once.

use crate::cases::{generator, random, to_vec};
use burn::tensor::{DType, Device};
use xlstm::weights::torch::{TorchNames, convert};
use xlstm::{AttentionConfig, FeatureGroupsConfig, HeadConfig, Pooling, Xlstm, XlstmConfig};

fn config() -> XlstmConfig {
    XlstmConfig {
        inputs: 6,
        width: 16,
        heads: 2,
        attention: Some(AttentionConfig { after: vec![1], heads: 2, window: 5 }),
        feature_groups: Some(FeatureGroupsConfig { sizes: vec![2, 4], heads: 4 }),
        ..XlstmConfig::default()
    }
}

#[test]
fn a_file_gives_the_same_network_to_the_bit() {
    let device = Device::flex();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("network.safetensors");
    let network = XlstmConfig { seed: 9, ..config() }.init(&device).unwrap();
    network.save(&path, false).unwrap();
    let x = random(&mut generator(1), [2, 7, 6], DType::F32, &device);
    let again = Xlstm::load(&path, &device).unwrap();
    assert_eq!(again.config(), network.config());
    assert_eq!(to_vec(&network.forward(x.clone()).unwrap()), to_vec(&again.forward(x.clone()).unwrap()));
    let other = config().init(&device).unwrap();
    assert_ne!(to_vec(&network.forward(x.clone()).unwrap()), to_vec(&other.forward(x).unwrap()));
    let refused = network.save(&path, false).unwrap_err().to_string();
    assert!(refused.contains("network.safetensors") && refused.contains("replac"), "{refused}");
    network.save(&path, true).unwrap();
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn the_same_network_gives_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("network.safetensors");
    let network = config().init(&Device::flex()).unwrap();
    // Five entries of metadata: by chance they come in the same order once in 120 times.
    let bytes: Vec<Vec<u8>> = (0..4)
        .map(|_| {
            network.save(&path, true).unwrap();
            std::fs::read(&path).unwrap()
        })
        .collect();
    assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]));
    let text = String::from_utf8_lossy(&bytes[0][8..200]).into_owned();
    let order: Vec<usize> =
        ["\"format\"", "\"matrela.config\""].iter().map(|key| text.find(key).unwrap()).collect();
    assert!(order[0] < order[1], "{text}");
}

#[test]
fn a_head_comes_back_too() {
    let device = Device::flex();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("head.safetensors");
    let mut head =
        HeadConfig { pooling: Pooling::Attention, ..HeadConfig::default() }.init(16, &device).unwrap();
    head.set_class_priors(&[0.2, 0.5, 0.3]).unwrap();
    head.save(&path, false).unwrap();
    let again = xlstm::Head::load(&path, 16, &device).unwrap();
    let hidden = random(&mut generator(2), [2, 3, 16], DType::F32, &device);
    let logits = |head: &xlstm::Head| to_vec(&head.forward(hidden.clone(), None, None).unwrap());
    assert_eq!(logits(&head), logits(&again));
}

#[test]
fn every_mismatch_is_reported_at_once() {
    let device = Device::flex();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("network.safetensors");
    config().init(&device).unwrap().save(&path, false).unwrap();
    // A wider network with no attention and no groups: other shapes, missing and unknown names.
    let other = XlstmConfig { inputs: 6, width: 32, heads: 2, ..XlstmConfig::default() };
    let text = xlstm::weights::load(other.init(&device).unwrap(), &path).unwrap_err().to_string();
    for part in [
        "`embedding.weight` [6, 32] is missing",
        "`embedding.identity` is unknown",
        "`norm.weight` has the shape [16] in the file, the network needs [32]",
        "`layers.2.query.weight` is unknown",
    ] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
}

#[test]
fn other_files_are_refused_by_name_and_reason() {
    let device = Device::flex();
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("absent.safetensors");
    let text = Xlstm::load(&absent, &device).unwrap_err().to_string();
    assert!(text.contains("absent.safetensors") && text.contains("cannot be read"), "{text}");
    let noise = directory.path().join("noise.safetensors");
    std::fs::write(&noise, [7; 40]).unwrap();
    let text = Xlstm::load(&noise, &device).unwrap_err().to_string();
    assert!(text.contains("no safetensors file"), "{text}");
    let foreign = crate::cases::fixtures().join("stack_msm_e16h2b2t12.safetensors");
    let text = Xlstm::load(&foreign, &device).unwrap_err().to_string();
    assert!(text.contains("no manifest") && text.contains("torch::convert"), "{text}");
    // The same file under names where nothing is: everything that is missing, in one message.
    let text = convert(&foreign, &TorchNames::default(), &device).unwrap_err().to_string();
    assert!(text.contains("`post_blocks_norm.weight` is missing") && text.contains("no block"), "{text}");
}
