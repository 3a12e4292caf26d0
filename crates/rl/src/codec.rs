//! Numbers to bytes and back, little-endian: what checkpoints and saved environments are made of.

use crate::error::RlError;

/// Appends numbers to bytes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn usize(&mut self, value: usize) {
        self.u64(value as u64);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    pub(crate) fn f32(&mut self, value: f32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn f32s(&mut self, values: &[f32]) {
        self.usize(values.len());
        for value in values {
            self.f32(*value);
        }
    }

    pub(crate) fn f64s(&mut self, values: &[f64]) {
        self.usize(values.len());
        for value in values {
            self.f64(*value);
        }
    }

    pub(crate) fn bytes(&mut self, values: &[u8]) {
        self.usize(values.len());
        self.bytes.extend_from_slice(values);
    }

    /// What was written.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// What was written, and its checksum.
    pub(crate) fn finish_with_checksum(mut self) -> Vec<u8> {
        let sum = checksum(&self.bytes);
        self.u64(sum);
        self.bytes
    }
}

/// Takes numbers from bytes. Whatever the bytes are, it answers or refuses.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Of what [`Writer::finish_with_checksum`] gave.
    pub(crate) fn with_checksum(bytes: &'a [u8]) -> Result<Self, RlError> {
        let Some((bytes, sum)) = bytes.split_last_chunk::<8>() else { return Err(too_short()) };
        if checksum(bytes) != u64::from_le_bytes(*sum) {
            return Err(RlError::checkpoint(
                "its checksum is wrong: it is damaged, or no checkpoint; take another",
            ));
        }
        Ok(Self { bytes })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RlError> {
        let (first, rest) = self.bytes.split_first_chunk::<N>().ok_or_else(too_short)?;
        self.bytes = rest;
        Ok(*first)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, RlError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn usize(&mut self) -> Result<usize, RlError> {
        usize::try_from(self.u64()?)
            .map_err(|_| RlError::checkpoint("a count in it is too large for this machine"))
    }

    pub(crate) fn bool(&mut self) -> Result<bool, RlError> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => {
                Err(RlError::checkpoint("a truth value in it is neither; it was written by another program"))
            }
        }
    }

    pub(crate) fn f64(&mut self) -> Result<f64, RlError> {
        Ok(f64::from_bits(self.u64()?))
    }

    fn counted(&mut self, width: usize) -> Result<&'a [u8], RlError> {
        let length = self.usize()?.checked_mul(width).ok_or_else(too_short)?;
        let (first, rest) = self.bytes.split_at_checked(length).ok_or_else(too_short)?;
        self.bytes = rest;
        Ok(first)
    }

    pub(crate) fn f32s(&mut self) -> Result<Vec<f32>, RlError> {
        let (chunks, _) = self.counted(4)?.as_chunks::<4>();
        Ok(chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
    }

    pub(crate) fn f64s(&mut self) -> Result<Vec<f64>, RlError> {
        let (chunks, _) = self.counted(8)?.as_chunks::<8>();
        Ok(chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], RlError> {
        self.counted(1)
    }

    /// Refuses what is left over.
    pub(crate) fn finish(self) -> Result<(), RlError> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        Err(RlError::checkpoint(format!(
            "{} bytes are left over; it was written by another program",
            self.bytes.len()
        )))
    }
}

fn too_short() -> RlError {
    RlError::checkpoint("it ends too early; it was cut off, take another")
}

/// 64-bit FNV-1a over words of eight bytes: it finds damage, and nothing else is asked of it.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let fold = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x100_0000_01b3).rotate_left(29);
    let sum = words.iter().fold(0xcbf2_9ce4_8422_2325, |sum, word| fold(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| fold(sum, u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_to_the_bit() {
        let mut writer = Writer::default();
        writer.u64(u64::MAX);
        writer.bool(true);
        writer.f64(-0.1);
        writer.f32s(&[f32::NAN, -0.0, 1e-45]);
        writer.f64s(&[1.5]);
        writer.bytes(b"name");
        let bytes = writer.finish_with_checksum();
        let mut reader = Reader::with_checksum(&bytes).unwrap();
        assert_eq!(reader.u64().unwrap(), u64::MAX);
        assert!(reader.bool().unwrap());
        assert_eq!(reader.f64().unwrap(), -0.1);
        let bits: Vec<u32> = reader.f32s().unwrap().iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, [f32::NAN.to_bits(), (-0.0_f32).to_bits(), 1]);
        assert_eq!(reader.f64s().unwrap(), [1.5]);
        assert_eq!(reader.bytes().unwrap(), b"name");
        reader.finish().unwrap();
    }

    #[test]
    fn damage_is_refused() {
        let mut writer = Writer::default();
        writer.f32s(&[1.0, 2.0, 3.0]);
        let good = writer.finish_with_checksum();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 4;
            assert!(Reader::with_checksum(&bad).is_err(), "byte {at}");
        }
        assert!(Reader::with_checksum(&good[..7]).is_err());
        // A length that would need more memory than there is.
        assert!(Reader::new(&u64::MAX.to_le_bytes()).f32s().is_err());
        assert!(Reader::new(&[2]).bool().is_err());
        assert!(Reader::new(&[0]).finish().is_err());
    }
}
