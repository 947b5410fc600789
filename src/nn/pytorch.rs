//! The state dictionary of a PyTorch `nn.Sequential` with the layers of a plan.
//!
//! Names and values are those of [`Sequential::state`], except for the order of axes in the weights of convolutions:
//!
//! ```text
//! here      (kernel height, kernel width, in, out)
//! PyTorch   (out, in, kernel height, kernel width)
//! ```
//!
//! A transposed convolution is named after the convolution here, so the same permutation holds for it: PyTorch's first axis,
//! its inputs, is our `out`. Integer tensors such as `num_batches_tracked` have no counterpart.

use super::plan::read_tensor;
use super::{Plan, Sequential, Spec};
use crate::checkpoint::Archive;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

impl Plan {
    /// Reads the network from the state dictionary in `archive`, under names that start with `prefix`.
    ///
    /// **Errors** Those of [`Plan::read`]; [`Error::InvalidArgument`] if a linear layer reads an image, whose values PyTorch
    /// has in another order.
    pub fn read_pytorch(&self, archive: &Archive, prefix: &str) -> Result<Sequential<f32>> {
        self.expect_same_order()?;
        let mut network = self.empty_for(archive, prefix)?;
        for (name, tensor) in network.state_mut() {
            let name = format!("{prefix}{name}");
            let shape = pytorch_shape(tensor.shape());
            let values = read_tensor(archive, &name, &shape)?;
            let places = places(tensor.shape());
            let data = tensor.data_mut();
            places.zip(values).for_each(|(place, &value)| data[place] = value);
        }
        Ok(network)
    }

    /// Adds the state dictionary of a network with this plan to `archive`, under names that start with `prefix`.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a name is in use, or a linear layer reads an image.
    pub fn write_pytorch(
        &self,
        network: &Sequential<f32>,
        prefix: &str,
        archive: &mut Archive,
    ) -> Result<()> {
        self.expect_same_order()?;
        for (name, tensor) in network.state() {
            let values = places(tensor.shape()).map(|place| tensor.data()[place]).collect::<Vec<_>>();
            archive.insert_f32(&format!("{prefix}{name}"), &pytorch_shape(tensor.shape()), &values)?;
        }
        Ok(())
    }

    fn expect_same_order(&self) -> Result<()> {
        for (spec, shape) in self.layers.iter().zip(self.shapes()) {
            let reads_all =
                matches!(spec, Spec::Linear { .. } | Spec::SpectralLinear { .. } | Spec::LayerNorm);
            if reads_all && shape.height * shape.width > 1 && shape.channels > 1 {
                let what = format!("layer '{spec}' on images of {shape}");
                return Err(Error::invalid(
                    what,
                    "PyTorch's layer reads the values of an image in another order",
                ));
            }
        }
        Ok(())
    }
}

/// The shape of one of our tensors in a state dictionary.
fn pytorch_shape(shape: &[usize]) -> Vec<usize> {
    match *shape {
        [height, width, inputs, outputs] => vec![outputs, inputs, height, width],
        _ => shape.to_vec(),
    }
}

/// For each value of PyTorch's tensor in order, its place in our tensor of this shape.
fn places(shape: &[usize]) -> impl Iterator<Item = usize> + use<> {
    let (pixels, inputs, outputs) = match *shape {
        [height, width, inputs, outputs] => (height * width, inputs, outputs),
        // The order stays.
        _ => (shape.iter().product(), 1, 1),
    };
    let place = move |output: usize, input: usize, pixel: usize| (pixel * inputs + input) * outputs + output;
    (0..outputs).flat_map(move |output| {
        (0..inputs).flat_map(move |input| (0..pixels).map(move |pixel| place(output, input, pixel)))
    })
}
