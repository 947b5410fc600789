//! Do random streams and the generators of data give the same bytes as ever, on every machine?
//!
//! A change of one of these numbers changes every seeded result: it belongs in the change log.

use equilibria::data::{Mixture, cats, scenes::Scene, synthetic};
use equilibria::rng::Stream;
use rand_xoshiro::rand_core::Rng;

/// The FNV-1a hash.
fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Compares all hashes at once, so that a failure prints the new ones.
#[track_caller]
fn same(found: &[(&str, u64)], expected: &[u64]) {
    let text = |values: &mut dyn Iterator<Item = (&str, u64)>| -> Vec<String> {
        values.map(|(name, hash)| format!("{name}: {hash:#018x}")).collect()
    };
    let names = found.iter().map(|(name, _)| *name);
    assert_eq!(text(&mut found.iter().copied()), text(&mut names.zip(expected.iter().copied())));
}

#[test]
fn streams_give_the_same_numbers() {
    let words = |stream: Stream| {
        let mut generator = stream.generator();
        hash((0..1000).flat_map(|_| generator.next_u64().to_le_bytes()))
    };
    let stream = Stream::named(1, "init");
    let mut order = vec![0; 1000];
    stream.permutation(&mut order);
    let bulk = stream.bulk().state();
    same(
        &[
            ("stream", words(stream)),
            ("other seed", words(Stream::named(u64::MAX, "init"))),
            ("other name", words(Stream::named(1, "shuffle"))),
            ("substream", words(stream.substream(7).substream(1 << 40))),
            ("permutation", hash(order.iter().flat_map(|&place| (place as u64).to_le_bytes()))),
            ("bulk", hash(bulk.iter().flatten().flat_map(|word| word.to_le_bytes()))),
        ],
        &[
            0x5cfe_815c_e833_5198,
            0x668d_7fee_b2a9_249a,
            0x890c_1236_442e_0b32,
            0xf409_a2bc_507f_1bae,
            0xd34c_50b3_e205_2e8d,
            0x6d4e_3900_92da_9670,
        ],
    );
}

#[test]
fn generators_give_the_same_data() {
    // Normal numbers differ in their last bits between SIMD levels.
    let micro = |x: f64| (1e6 * x).round() as i64;
    let mut points = [0.0_f64; 2000];
    Mixture::grid().fill(Stream::named(1, "shuffle"), &mut points);
    same(
        &[
            ("digits", hash(synthetic::digits(0, 200).unwrap().images().pixels().iter().copied())),
            ("cats", hash(cats::cats(0, 40, cats::SIDE).unwrap().images().pixels().iter().copied())),
            ("seaside", hash(Scene::Seaside.paint())),
            ("jungle", hash(Scene::Jungle.paint())),
            ("grid of Gaussians", hash(points.iter().flat_map(|&x| micro(x).to_le_bytes()))),
        ],
        &[
            0xc3c7_27e2_d1a3_2d6d,
            0xadd8_acb2_2c42_4d43,
            0xf46a_591b_6f51_bb48,
            0xc61b_226a_7e02_2e17,
            0x4266_8949_78dc_48bc,
        ],
    );
}
