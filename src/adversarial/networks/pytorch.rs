//! Generators that PyTorch's DCGAN example and its many copies have saved.

use super::{Networks, Normalisation, dcgan};
use crate::checkpoint::Archive;
use crate::nn::{Sequential, Shape};
use crate::{Error, Result};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The generator of a DCGAN in a state dictionary, with its networks: the layers `main.0`, `main.1`, ... of PyTorch's
/// example, or with another prefix. `None` if the archive has no convolution under such a name.
///
/// A state dictionary has no strides and no activations; they are those of [`dcgan`]. It does not have the discriminator either,
/// which is described with batch normalisation here.
///
/// **Errors** [`Error::Malformed`] if the tensors are not those of a generator of [`dcgan`].
///
/// ```
/// use equilibria::adversarial::{Normalisation, dcgan, networks::pytorch_generator};
/// use equilibria::{checkpoint::Archive, nn::Shape, rng::Stream};
/// let networks = dcgan(Shape { height: 8, width: 8, channels: 1 }, 5, 4, Normalisation::Batch)?;
/// let [network, _] = networks.start::<f32>(Stream::named(1, "init"))?;
/// let mut archive = Archive::new();
/// networks.generator.write_pytorch(&network, "main.", &mut archive)?;
/// let (found, network) = pytorch_generator(&archive)?.expect("it has convolutions");
/// assert_eq!((found.generator, network.inputs()), (networks.generator, 5));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn pytorch_generator(archive: &Archive) -> Result<Option<(Networks, Sequential<f32>)>> {
    let is_prefix = |prefix: &&str| prefix.is_empty() || prefix.ends_with('.');
    let prefix = archive.names().find_map(|name| name.strip_suffix("0.weight").filter(is_prefix));
    let Some(prefix) = prefix.map(ToString::to_string) else { return Ok(None) };
    let mut weights = convolutions(archive, &prefix)?;
    weights.sort_unstable();
    let (Some((_, [latent, _, kernel, _])), Some((_, [width, channels, ..]))) =
        (weights.first().copied(), weights.last().copied())
    else {
        return Ok(None);
    };
    let malformed = |problem: String| Error::malformed(archive.place(), 8, problem);
    let halvings = u32::try_from(weights.len() - 1).unwrap_or(u32::MAX);
    let side = 2_usize.checked_pow(halvings).and_then(|factor| factor.checked_mul(kernel)).unwrap_or(0);
    let image = Shape { height: side, width: side, channels };
    let networks = dcgan(image, latent, width, Normalisation::Batch)
        .map_err(|error| malformed(format!("convolutions without the description of a model: {error}")))?;
    let network = networks.generator.read_pytorch(archive, &prefix)?;
    let own: Vec<String> = network.state().map(|(name, _)| format!("{prefix}{name}")).collect();
    let is_foreign =
        |name: &&str| !name.ends_with(".num_batches_tracked") && !own.iter().any(|own| own == name);
    if let Some(name) = archive.names().find(is_foreign) {
        return Err(malformed(format!(
            "tensor `{name}` does not belong to the generator {}",
            networks.generator
        )));
    }
    Ok(Some((networks, network)))
}

/// The number of each convolution of a sequence, and the shape of its weight.
fn convolutions(archive: &Archive, prefix: &str) -> Result<Vec<(usize, [usize; 4])>> {
    let mut weights = Vec::new();
    for name in archive.names() {
        let index = name.strip_prefix(prefix).and_then(|name| name.strip_suffix(".weight"));
        let Some(index) = index.and_then(|index| index.parse().ok()) else { continue };
        if let &[first, second, height, width] = archive.shape(name)? {
            weights.push((index, [first, second, height, width]));
        }
    }
    Ok(weights)
}
