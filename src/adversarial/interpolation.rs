//! Paths between random latents.

use super::fill_latents;
use crate::rng::Stream;
use alloc::vec;
use alloc::vec::Vec;

/// Latents on paths from one random latent to another, evenly spaced on the sphere.
///
/// A straight line would lead through latents that are shorter than those of training.
///
/// **Shapes** Returns (paths, length, `width`): `paths` paths of `length` latents, at least 2, ends included.
///
/// **Randomness** As [`fill_latents`], two rows for each path.
///
/// **Source** Shoemake 1985; White 2016 for latents.
///
/// ```
/// use equilibria::{adversarial::latent_paths, rng::Stream};
/// let latents = latent_paths(Stream::named(1, "latent"), 16, 3, 8);
/// assert_eq!(latents.len(), 3 * 8 * 16);
/// ```
pub fn latent_paths(stream: Stream, width: usize, paths: usize, length: usize) -> Vec<f32> {
    let mut ends = vec![0.0; 2 * paths * width];
    fill_latents(stream, width, &mut ends);
    let mut latents = Vec::with_capacity(paths * length * width);
    for pair in ends.chunks_exact(2 * width) {
        let (from, to) = pair.split_at(width);
        (0..length).for_each(|i| latents.extend(between(from, to, i as f64 / (length - 1) as f64)));
    }
    latents
}

/// The point on the great circle from one latent to another, `share` of the way along; on the straight line if they have the
/// same or opposite directions.
fn between(from: &[f32], to: &[f32], share: f64) -> impl Iterator<Item = f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    let cosine = dot(from, to) / (libm::sqrt(dot(from, from)) * libm::sqrt(dot(to, to)));
    let angle = libm::acos(cosine.clamp(-1.0, 1.0));
    let [a, b] = match libm::sin(angle) {
        sine if sine > 1e-6 => [1.0 - share, share].map(|part| libm::sin(part * angle) / sine),
        _ => [1.0 - share, share],
    };
    from.iter().zip(to).map(move |(&x, &y)| (a * f64::from(x) + b * f64::from(y)) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(from: &[f32], to: &[f32], share: f64) -> Vec<f32> {
        between(from, to, share).collect()
    }

    #[test]
    fn points_between_two_latents_lie_on_the_sphere() {
        let (from, to) = ([2.0_f32, 0.0], [0.0_f32, 2.0]);
        assert_eq!(point(&from, &to, 0.0), from);
        let half = point(&from, &to, 0.5);
        assert!((half[0] - libm::sqrtf(2.0)).abs() < 1e-6 && half[0] == half[1], "{half:?}");
        assert!(point(&from, &to, 1.0).iter().zip(to).all(|(x, y)| (x - y).abs() < 1e-6));
        // Ends with the same direction, or with opposite ones.
        assert_eq!(point(&from, &from, 0.3), from);
        assert!(point(&from, &[-2.0, 0.0], 0.5).iter().all(|x| x.is_finite()));
    }

    #[test]
    fn a_path_leads_from_one_random_latent_to_the_next() {
        let (stream, width) = (Stream::named(1, "evaluate"), 7);
        let mut ends = [0.0; 4 * 7];
        fill_latents(stream, width, &mut ends);
        let paths = latent_paths(stream, width, 2, 5);
        assert_eq!(paths.len(), 2 * 5 * width);
        for (path, ends) in paths.chunks(5 * width).zip(ends.chunks(2 * width)) {
            let found = path[..width].iter().chain(&path[4 * width..]);
            assert!(found.zip(ends).all(|(x, end)| (x - end).abs() < 1e-5), "{path:?}, {ends:?}");
        }
    }
}
