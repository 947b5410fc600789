//! Generators, perceptrons and DCGANs, run from the bytes of their file.

use super::checksum;
use super::error::{ModelError, first_of};
use super::file::ModelFile;
use super::machine::uniform;
use super::plan;
use super::step::Step;
use crate::nn::Shape;
use equilibria_kernels::Level;

/// A generator whose parameters stay in the bytes of its file.
///
/// Its layers are linear, transposed convolutions, batch and layer normalisation, and activations. If the file has averaged
/// parameters, it uses them.
///
/// ```
/// use equilibria::embedded::{StoredGenerator, fill_latent};
/// static MODEL: &[u8] = include_bytes!("../../fixtures/gan-4x4.safetensors");
/// let generator = StoredGenerator::from_bytes(MODEL)?;
/// let mut latent = vec![0.0; generator.latent_len()];
/// let mut workspace = vec![0.0; generator.workspace_len()];
/// let mut image = vec![0.0; generator.image_shape().size()];
/// let mut word = 1_u64;
/// fill_latent(&mut latent, || {
///     word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
///     word
/// });
/// generator.generate(&latent, &mut workspace, &mut image)?;
/// assert!(image.len() == 16 && image.iter().all(|x| x.abs() <= 1.0));
/// # Ok::<(), equilibria::embedded::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct StoredGenerator<'a> {
    file: ModelFile<'a>,
    /// The pair of networks as text.
    networks: &'a str,
    /// The start of the names of the tensors.
    prefix: &'static str,
    shapes: [Shape; 2],
    /// The number of affine layers. Their outputs are in the two buffers in turn, the last in the image.
    affine: usize,
    buffers: [usize; 2],
    level: Level,
}

impl<'a> StoredGenerator<'a> {
    /// Checks the file of a game, such as `model.safetensors` in the directory of a run.
    ///
    /// **Errors** [`ModelError::Header`], [`ModelError::Checksum`]; [`ModelError::Metadata`] for another kind of model and for
    /// layers that do not run here; [`ModelError::Tensor`] if a tensor is missing, of another shape or type, or not finite.
    ///
    /// **Accuracy and cost** Reads every byte once for the checksum and every number once.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, ModelError> {
        let file = checksum::open(bytes)?;
        let networks = file.value("networks").and_then(|text| text.plain());
        let Some(networks) = networks else {
            return complain("there is none; this is not the file of a game");
        };
        let is_average = file.tensors().any(|tensor| tensor.name.is("average.0.weight"));
        let mut generator = Self {
            file,
            networks,
            prefix: if is_average { "average." } else { "generator." },
            shapes: [Shape::from(0); 2],
            affine: 0,
            buffers: [0; 2],
            level: Level::detect(),
        };
        let (mut affine, mut buffers) = (0, [0; 2]);
        generator.shapes = generator.walk(true, |step, [input, _]| {
            if step.is_affine() {
                if affine > 0 {
                    let buffer: &mut usize = &mut buffers[(affine - 1) % 2];
                    *buffer = input.size().max(*buffer);
                }
                affine += 1;
            } else if affine == 0 {
                return complain("the generator does not begin with a linear layer or a conv-transpose");
            }
            Ok(())
        })?;
        (generator.affine, generator.buffers) = (affine, buffers);
        Ok(generator)
    }

    /// Computes at this SIMD level instead of the best one.
    #[must_use]
    pub fn at_level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The size of a latent vector.
    pub fn latent_len(&self) -> usize {
        self.shapes[0].size()
    }

    /// The shape of an image, channels last; of a perceptron, one pixel with all numbers as channels.
    pub fn image_shape(&self) -> Shape {
        self.shapes[1]
    }

    /// The length of the workspace that [`StoredGenerator::generate`] needs.
    pub fn workspace_len(&self) -> usize {
        self.buffers[0].saturating_add(self.buffers[1])
    }

    /// Computes the image of a latent vector, with values in the range of the last layer: from -1 to 1 with tanh.
    ///
    /// **Shapes** `latent` ([`StoredGenerator::latent_len`]), `workspace` ([`StoredGenerator::workspace_len`]), `image` (the
    /// size of [`StoredGenerator::image_shape`]).
    ///
    /// **Errors** [`ModelError::Buffer`] if a slice is shorter.
    ///
    /// **Accuracy and cost** f32 sums. Weights are converted to f32 in parts of 128 numbers.
    pub fn generate(
        &self,
        latent: &[f32],
        workspace: &mut [f32],
        image: &mut [f32],
    ) -> Result<(), ModelError> {
        let needed = self.latent_len();
        let short = ModelError::Buffer { name: "latent", needed, found: latent.len() };
        let latent = latent.get(..needed).ok_or(short)?;
        let workspace = first_of("workspace", workspace, self.workspace_len())?;
        let image = first_of("image", image, self.image_shape().size())?;
        let (mut read, mut write) = workspace.split_at_mut(self.buffers[1]);
        let mut affine = 0;
        self.walk(false, |step, [input, output]| {
            let is_last = affine + usize::from(step.is_affine()) == self.affine;
            if step.is_affine() {
                core::mem::swap(&mut read, &mut write);
                // `read` is now the buffer that the affine layer before wrote.
                let x = if affine == 0 { latent } else { &write[..input.size()] };
                let y = if is_last { &mut *image } else { &mut read[..output.size()] };
                step.apply(self.level, [input, output], x, y);
                affine += 1;
            } else {
                step.apply_in_place(
                    self.level,
                    if is_last { &mut *image } else { &mut read[..output.size()] },
                );
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Calls `visit` with each layer and the shapes of its input and output. Returns the shapes of the input and the output of
    /// all. Checks every number if `is_new`.
    fn walk(
        &self,
        is_new: bool,
        mut visit: impl FnMut(&Step<'a>, [Shape; 2]) -> Result<(), ModelError>,
    ) -> Result<[Shape; 2], ModelError> {
        let Some((input, layers)) = plan::generator(self.networks) else {
            return complain("it is not a pair of networks");
        };
        let mut shape = input;
        for (index, spec) in layers.enumerate() {
            let Some(spec) = spec else { return complain("a layer of the generator is unknown") };
            let (step, output) = Step::read(&self.file, self.prefix, index, spec, shape, is_new)?;
            visit(&step, [shape, output])?;
            shape = output;
        }
        Ok([input, shape])
    }
}

fn complain<T>(problem: &'static str) -> Result<T, ModelError> {
    Err(ModelError::Metadata { key: "networks", problem })
}

/// Fills `latent` with independent standard normal numbers, the usual latent vector of a generator.
///
/// **Randomness** One draw for each two numbers, by the transformation of Box and Muller.
///
/// ```
/// use equilibria::{embedded::fill_latent, rng::Stream};
/// use rand::Rng;
/// let (mut latent, mut generator) = ([0.0; 1000], Stream::named(1, "latent").generator());
/// fill_latent(&mut latent, || generator.next_u64());
/// let mean_square = latent.iter().map(|x| x * x).sum::<f32>() / 1000.0;
/// assert!((mean_square - 1.0).abs() < 0.2);
/// ```
pub fn fill_latent(latent: &mut [f32], mut random: impl FnMut() -> u64) {
    for pair in latent.chunks_mut(2) {
        let word = random();
        // 1 − u is in (0, 1], so that its logarithm is finite.
        let radius = libm::sqrtf(-2.0 * libm::logf(1.0 - uniform(word)));
        let angle = 2.0 * core::f32::consts::PI * uniform(word << 32);
        let normals = [radius * libm::cosf(angle), radius * libm::sinf(angle)];
        pair.copy_from_slice(&normals[..pair.len()]);
    }
}
