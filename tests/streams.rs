//! Are streams different from one another, and permutations fair, stable and a function of their stream?

use equilibria::rng::Stream;
use rand_xoshiro::rand_core::Rng;
use std::collections::BTreeSet;

#[test]
fn seeds_names_and_indices_give_different_streams() {
    let mut seen = BTreeSet::new();
    let mut streams = 0;
    for seed in 0..20 {
        for name in ["init", "shuffle", "augment", "binarise", "chain", "latent", "evaluate", "synthetic", ""]
        {
            let stream = Stream::named(seed, name);
            let substreams = (0..20).map(|index| stream.substream(index));
            let deeper = (0..20).map(|index| stream.substream(index).substream(19 - index));
            for stream in std::iter::once(stream).chain(substreams).chain(deeper) {
                seen.insert((stream.seed(), stream.generator().next_u64()));
                streams += 1;
            }
        }
    }
    assert_eq!(seen.len(), streams);
}

#[test]
fn the_first_of_the_bulk_lanes_is_the_scalar_generator() {
    let stream = Stream::named(3, "chain").substream(5);
    assert_ne!(stream.bulk(), stream.substream(0).bulk());
    let [s0, _, _, s3] = stream.bulk().state().map(|words| words[0]);
    let first = s0.wrapping_add(s3).rotate_left(23).wrapping_add(s0);
    assert_eq!(stream.generator().next_u64(), first);
}

#[test]
fn every_length_gives_a_permutation_of_its_stream() {
    for len in 0..40 {
        let mut order = vec![usize::MAX; len];
        Stream::named(1, "shuffle").permutation(&mut order);
        let mut again = vec![0; len];
        Stream::named(1, "shuffle").permutation(&mut again);
        assert_eq!(order, again);
        order.sort_unstable();
        assert!(order.iter().copied().eq(0..len), "{order:?}");
    }
}

/// All 24 orders of four elements in 24,000 permutations: chi square has mean 23 and standard deviation 6.8.
#[test]
fn all_orders_are_equally_likely() {
    let mut counts = [0_u32; 256];
    for index in 0..24_000 {
        let mut order = [0; 4];
        Stream::named(2, "shuffle").substream(index).permutation(&mut order);
        counts[order.iter().fold(0, |code, &element| 4 * code + element)] += 1;
    }
    let seen: Vec<_> = counts.iter().filter(|&&count| count > 0).collect();
    assert_eq!(seen.len(), 24);
    let chi_square: f64 = seen.iter().map(|&&count| (f64::from(count) - 1000.0).powi(2) / 1000.0).sum();
    assert!((chi_square - 23.0).abs() < 5.0 * 6.8, "chi square {chi_square}, not 23");
}

/// The order is part of a run and must not change between versions. The expected values were computed separately, in Python.
#[test]
fn orders_are_stable() {
    let mut order = [0; 8];
    Stream::named(1, "shuffle").permutation(&mut order);
    assert_eq!(order, [2, 5, 0, 1, 6, 3, 4, 7]);
}
