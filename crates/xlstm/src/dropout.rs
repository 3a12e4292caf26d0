//! Dropout with the generator of the caller: no hidden randomness, the same masks on every backend.

use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;

/// Factors of inverted dropout (Srivastava et al. 2014): 0 with probability `share`, else 1 / (1 - share).
pub(crate) fn mask<const D: usize, R: Rng + ?Sized>(
    shape: [usize; D],
    share: f64,
    generator: &mut R,
    device: &Device,
) -> Tensor<D> {
    let threshold = (share * (f64::from(u32::MAX) + 1.0)) as u32;
    let kept = (1.0 / (1.0 - share)) as f32;
    let count = shape.iter().product();
    let values: Vec<f32> =
        (0..count).map(|_| if generator.next_u32() < threshold { 0.0 } else { kept }).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Drops a share of the values, where there is a generator and the share is not 0.
pub(crate) fn apply<const D: usize, R: Rng + ?Sized>(
    x: Tensor<D>,
    share: f64,
    generator: Option<&mut R>,
) -> Tensor<D> {
    match generator {
        Some(generator) if share > 0.0 => {
            let mask = mask(x.dims(), share, generator, &x.device()).cast(x.dtype());
            x * mask
        }
        _ => x,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn drops_the_share_and_keeps_the_mean() {
        let mut generator = StdRng::seed_from_u64(3);
        let mask = mask([100, 100], 0.3, &mut generator, &Device::flex());
        let values = mask.into_data().try_to_vec::<f32>().unwrap();
        let dropped = values.iter().filter(|value| **value == 0.0).count() as f64 / 10_000.0;
        assert!((dropped - 0.3).abs() < 0.02, "{dropped}");
        let mean = values.iter().sum::<f32>() / 10_000.0;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
    }

    #[test]
    fn is_the_identity_without_a_generator() {
        let x = Tensor::<2>::ones([2, 3], &Device::flex());
        let same = apply::<2, StdRng>(x.clone(), 0.5, None);
        assert_eq!(same.into_data(), x.into_data());
    }
}
