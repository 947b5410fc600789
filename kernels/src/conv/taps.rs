//! The kernel positions that meet the image, along one axis: output o reads input o s + k − p at kernel position k.

use core::ops::Range;

/// One axis of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub image: usize,
    /// (image + 2 padding − kernel) / stride + 1, at least 1.
    pub output: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

/// The pairs (k, o) that read one input: kernel position `kernel + t stride` at output `output − t`, for t below `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Readers {
    pub kernel: usize,
    pub output: usize,
    pub count: usize,
}

impl Axis {
    /// The kernel positions at which an output reads the image, and not its padding.
    pub(super) fn positions(&self, output: usize) -> Range<usize> {
        let first = output * self.stride;
        let end = (self.image + self.padding).saturating_sub(first).min(self.kernel);
        self.padding.saturating_sub(first).min(end)..end
    }

    /// The input that an output reads at a kernel position.
    pub(super) fn input(&self, output: usize, kernel: usize) -> usize {
        output * self.stride + kernel - self.padding
    }

    /// The outputs that read an input.
    pub(super) fn readers(&self, input: usize) -> Readers {
        let place = input + self.padding;
        let output = (place / self.stride).min(self.output - 1);
        let kernel = place - output * self.stride;
        let last = (self.kernel - 1).min(place);
        let count = if kernel > last { 0 } else { (last - kernel) / self.stride + 1 };
        Readers { kernel, output, count }
    }

    /// Ranges of consecutive outputs that read the image at the same kernel positions, and these positions.
    pub(super) fn runs(self) -> impl Iterator<Item = [Range<usize>; 2]> {
        let mut first = 0;
        core::iter::from_fn(move || {
            let positions = (first < self.output).then(|| self.positions(first))?;
            let differs = |&output: &usize| self.positions(output) != positions;
            let end = (first..self.output).find(differs).unwrap_or(self.output);
            let outputs = first..end;
            first = end;
            Some([outputs, positions])
        })
    }

    /// The outputs that read the image, and not its padding, at a kernel position.
    pub(super) fn outputs(&self, kernel: usize) -> Range<usize> {
        let inside = (self.image + self.padding).saturating_sub(kernel);
        let end = inside.div_ceil(self.stride).min(self.output);
        self.padding.saturating_sub(kernel).div_ceil(self.stride).min(end)..end
    }
}

#[cfg(test)]
mod tests {
    use super::Axis;
    extern crate std;
    use std::vec::Vec;

    #[test]
    fn positions_inputs_and_outputs_are_those_of_the_definition() {
        for (image, kernel, stride, padding) in (0..9_usize).flat_map(|image| {
            (1..6).flat_map(move |kernel| {
                (1..5).flat_map(move |stride| (0..7).map(move |padding| (image, kernel, stride, padding)))
            })
        }) {
            let Some(last) = (image + 2 * padding).checked_sub(kernel) else { continue };
            let axis = Axis { image, output: last / stride + 1, kernel, stride, padding };
            let reads = |output: usize, position: usize| {
                (output * stride + position).checked_sub(padding).filter(|input| *input < image)
            };
            for output in 0..axis.output {
                let right: Vec<usize> =
                    (0..kernel).filter(|&position| reads(output, position).is_some()).collect();
                assert_eq!(axis.positions(output).collect::<Vec<_>>(), right, "{axis:?}, output {output}");
                right.iter().for_each(|&k| assert_eq!(Some(axis.input(output, k)), reads(output, k)));
            }
            for input in 0..image {
                let readers = axis.readers(input);
                let found: Vec<[usize; 2]> =
                    (0..readers.count).map(|t| [readers.kernel + t * stride, readers.output - t]).collect();
                let pairs = (0..kernel).flat_map(|k| (0..axis.output).map(move |output| [k, output]));
                let right: Vec<[usize; 2]> =
                    pairs.filter(|&[k, output]| reads(output, k) == Some(input)).collect();
                assert_eq!(found, right, "{axis:?}, input {input}");
            }
            for position in 0..kernel {
                let right: Vec<usize> =
                    (0..axis.output).filter(|&output| reads(output, position).is_some()).collect();
                assert_eq!(
                    axis.outputs(position).collect::<Vec<_>>(),
                    right,
                    "{axis:?}, position {position}"
                );
            }
        }
    }
}
