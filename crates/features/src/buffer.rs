//! Memory of columns.

use std::fmt;
use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
use memmap2::MmapMut;

/// From this size on a column has a mapping of its own.
const MAPPED: usize = 1 << 20;

/// The values of one column: a slice.
///
/// A large one lies in memory that the system is asked to give in large pages. A frame of a million rows is a
/// gigabyte; in pages of 4 KiB, each of which is fetched by a fault of its own, getting that memory takes as
/// long as computing what goes into it.
pub struct ColumnBuffer<T> {
    memory: Memory<T>,
    len: usize,
}

enum Memory<T> {
    Heap(Vec<T>),
    Mapped(MmapMut),
}

impl<T: Pod> ColumnBuffer<T> {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let bytes = len * size_of::<T>();
        let mapped = (bytes >= MAPPED).then(|| MmapMut::map_anon(bytes).ok()).flatten();
        let memory = match mapped {
            Some(mapping) => {
                // Refused where the system has no such pages; the memory is the same.
                #[cfg(target_os = "linux")]
                let _ = mapping.advise(memmap2::Advice::HugePage);
                Memory::Mapped(mapping)
            }
            None => Memory::Heap(vec![T::zeroed(); len]),
        };
        Self { memory, len }
    }
}

impl<T: Pod> Deref for ColumnBuffer<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.memory {
            Memory::Heap(values) => values,
            // A mapping begins at a page, so it is aligned for any number; it may end with unused bytes.
            Memory::Mapped(mapping) => bytemuck::cast_slice(&mapping[..self.len * size_of::<T>()]),
        }
    }
}

impl<T: Pod> DerefMut for ColumnBuffer<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.memory {
            Memory::Heap(values) => values,
            Memory::Mapped(mapping) => bytemuck::cast_slice_mut(&mut mapping[..self.len * size_of::<T>()]),
        }
    }
}

impl<'a, T: Pod> IntoIterator for &'a ColumnBuffer<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Pod> From<Vec<T>> for ColumnBuffer<T> {
    fn from(values: Vec<T>) -> Self {
        Self { len: values.len(), memory: Memory::Heap(values) }
    }
}

impl<T: Pod> Clone for ColumnBuffer<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for ColumnBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_behave_alike() {
        for len in [0, 1, 1_000, MAPPED / 8 - 1, MAPPED / 8, MAPPED / 8 + 3] {
            let mut column = ColumnBuffer::<f64>::zeros(len);
            assert_eq!(column.len(), len);
            assert!(column.iter().all(|value| *value == 0.0));
            for (index, value) in column.iter_mut().enumerate() {
                *value = index as f64;
            }
            let copy = column.clone();
            assert!(copy.iter().enumerate().all(|(index, value)| *value == index as f64));
            assert_eq!(copy.len(), len);
        }
        assert_eq!(*ColumnBuffer::from(vec![1.0_f32, 2.0]), [1.0, 2.0]);
    }
}
