//! Latent vectors, from which a generator computes samples, and the random streams of a game.

use crate::rng::Stream;
use crate::tensor::Element;
use equilibria_kernels::random::{Xoshiro256PlusPlusX8, fill_normal, fill_uniform};
use equilibria_kernels::{Level, threads};

/// The random streams of a game.
///
/// **Randomness** Step s of the generator uses `latent.substream(s)`, and a substream of it for each mini-batch in the
/// order of use, which [`fill_latents`] draws from. Step c of the critic within it uses
/// `interpolation.substream(s).substream(c)`, one uniform number per pair of samples. The changes of images use
/// `augmentation.substream(s).substream(c)`, and for the generator's own step the last substream in the place of c; of it
/// substream 0 for real images and 1 for generated ones.
///
/// ```
/// use equilibria::adversarial::Streams;
/// let streams = Streams::of(1);
/// assert_ne!(streams.latent, streams.dropout);
/// assert_eq!(streams, Streams::of(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    /// The latent vectors.
    pub latent: Stream,
    /// The weights α of the interpolations at which a penalised critic is evaluated.
    pub interpolation: Stream,
    /// The dropout masks, in networks with dropout.
    pub dropout: Stream,
    /// The random changes of images, in games with augmentation.
    pub augmentation: Stream,
}

impl Streams {
    /// The streams `latent`, `interpolation`, `dropout` and `augmentation` of the run with this seed.
    pub fn of(seed: u64) -> Self {
        let named = |name| Stream::named(seed, name);
        let [latent, interpolation, dropout, augmentation] =
            ["latent", "interpolation", "dropout", "augmentation"].map(named);
        Self { latent, interpolation, dropout, augmentation }
    }
}

/// Fills `latents` with independent standard normals.
///
/// They are f32 numbers in either type, so that a game in f64 can check the same game in f32.
///
/// **Shapes** (rows, `width`).
///
/// **Randomness** Row r uses the first numbers of `stream.substream(r)`, so that it is the same in a batch of any size.
///
/// **Panics** if `width` is 0.
///
/// ```
/// use equilibria::adversarial::fill_latents;
/// use equilibria::rng::Stream;
/// let (mut some, mut more) = ([0.0_f32; 2 * 100], [0.0_f64; 5 * 100]);
/// fill_latents(Stream::named(7, "latent"), 100, &mut some);
/// fill_latents(Stream::named(7, "latent"), 100, &mut more);
/// assert!(some.iter().zip(&more).all(|(&x, &y)| f64::from(x) == y));
/// ```
pub fn fill_latents<T: Element>(stream: Stream, width: usize, latents: &mut [T]) {
    fill_latents_from(0, stream, width, latents);
}

/// Fills `latents` with the rows from number `first` on of those that [`fill_latents`] would draw.
///
/// **Shapes** (rows, `width`).
///
/// **Panics** if `width` is 0.
///
/// ```
/// use equilibria::{adversarial::{fill_latents, fill_latents_from}, rng::Stream};
/// let (mut all, mut rest) = ([0.0_f32; 6], [0.0; 4]);
/// fill_latents(Stream::named(1, "latent"), 2, &mut all);
/// fill_latents_from(1, Stream::named(1, "latent"), 2, &mut rest);
/// assert_eq!(all[2..], rest);
/// ```
pub fn fill_latents_from<T: Element>(first: u64, stream: Stream, width: usize, latents: &mut [T]) {
    let level = Level::detect();
    threads::for_each_chunk(ROWS * width, latents, &|range, rows| {
        for (row, index) in rows.chunks_mut(width).zip(first + (range.start / width) as u64..) {
            let normals = |generator: &mut _, part: &mut [f32]| fill_normal(level, generator, part);
            fill(&mut stream.substream(index).bulk(), normals, row);
        }
    });
}

/// Fills `alphas` with uniform numbers in [0, 1), f32 numbers like those of [`fill_latents`].
pub(super) fn fill_alphas<T: Element>(stream: Stream, alphas: &mut [T]) {
    let level = Level::detect();
    fill(&mut stream.bulk(), |generator, part| fill_uniform(level, generator, part), alphas);
}

/// Rows per task: some microseconds of work.
const ROWS: usize = 32;

/// Numbers drawn at once. A whole number of generator blocks, so that the numbers are the same as in a single draw.
const PART: usize = 128;

fn fill<T: Element>(
    generator: &mut Xoshiro256PlusPlusX8,
    draw: impl Fn(&mut Xoshiro256PlusPlusX8, &mut [f32]),
    out: &mut [T],
) {
    let mut buffer = [0.0; PART];
    for out in out.chunks_mut(PART) {
        let part = &mut buffer[..out.len()];
        draw(generator, part);
        out.iter_mut().zip(part).for_each(|(out, x)| *out = T::from_f64(f64::from(*x)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Stream, Streams, fill_alphas, fill_latents};
    use alloc::vec;

    #[test]
    fn each_row_depends_only_on_its_own_stream() {
        // More rows than a task processes, and more numbers per row than are drawn at once.
        let (rows, width, stream) = (40, 300, Stream::named(3, "latent"));
        let mut latents = vec![0.0_f64; rows * width];
        fill_latents(stream, width, &mut latents);
        for (row, index) in latents.chunks(width).zip(0..) {
            let mut alone = vec![0.0_f32; width];
            let mut generator = stream.substream(index).bulk();
            equilibria_kernels::random::fill_normal(super::Level::detect(), &mut generator, &mut alone);
            assert!(row.iter().zip(&alone).all(|(x, alone)| *x == f64::from(*alone)), "row {index}");
        }
        let variance = latents.iter().map(|x| x * x).sum::<f64>() / latents.len() as f64;
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn alphas_are_uniform_and_the_same_in_either_type() {
        let stream = Streams::of(1).interpolation;
        let (mut single, mut double) = (vec![9.0_f32; 1000], vec![9.0_f64; 1000]);
        fill_alphas(stream, &mut single);
        fill_alphas(stream, &mut double);
        assert!(single.iter().zip(&double).all(|(x, y)| f64::from(*x) == *y));
        assert!(double.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = double.iter().sum::<f64>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
    }
}
