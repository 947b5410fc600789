//! Can a newcomer do each of these things in a short program? Every file of `programs` is complete and has fewer than 25 lines.

#[path = "programs/deep.rs"]
mod deep;
#[cfg(feature = "checkpoint")]
#[path = "programs/embedded.rs"]
mod embedded;
#[cfg(all(feature = "pretrained", feature = "png"))]
#[path = "programs/folders.rs"]
mod folders;
#[path = "programs/layer.rs"]
mod layer;
#[path = "programs/matrix.rs"]
mod matrix;
#[path = "programs/patterns.rs"]
mod patterns;
#[path = "programs/points.rs"]
mod points;

/// The largest number of lines of a program, without its blank lines.
const MOST_LINES: usize = 24;

/// The main types can be moved to another thread, shown and, but for learners and games, copied.
#[test]
fn main_types_are_send_and_debug_and_clone() {
    use equilibria::{adversarial, boltzmann, data, nn, optim, tensor, transport};
    fn moved<T: Send + Sync + std::fmt::Debug>() {}
    fn copied<T: Clone + Send + Sync + std::fmt::Debug>() {}
    copied::<tensor::Tensor<f32>>();
    copied::<boltzmann::Rbm<f32>>();
    copied::<boltzmann::Dbm<f32>>();
    copied::<data::Images>();
    copied::<data::BinaryImages>();
    copied::<nn::Sequential<f32>>();
    copied::<nn::Cache<f32>>();
    copied::<nn::Gradients<f32>>();
    copied::<optim::Schedule>();
    copied::<adversarial::Recipe>();
    copied::<transport::Solution>();
    moved::<boltzmann::GibbsChains<f32>>();
    moved::<boltzmann::DbmChains<f32>>();
    moved::<boltzmann::MeanField<f32>>();
    moved::<boltzmann::learning::Learner<f32>>();
    moved::<boltzmann::learning::DeepLearner<f32>>();
    moved::<optim::Optimiser<f32>>();
    moved::<adversarial::Game<f32>>();
    moved::<transport::Cost<'_, f32>>();
}

#[test]
fn programs_are_short() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut programs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", path.display());
        programs += 1;
    }
    assert_eq!(programs, 7);
}

#[test]
fn a_machine_learns_ones_own_bits_and_stops_when_told() {
    let (epochs, log_likelihood) = patterns::main().unwrap();
    let best = -4_f64.ln();
    assert!(log_likelihood <= best && log_likelihood > best - 0.5, "{log_likelihood}");
    assert!((100..3000).contains(&epochs), "{epochs}");
}

#[test]
fn a_game_learns_ones_own_points() {
    let [x, y] = points::main().unwrap();
    assert!((x - 1.0).abs() < 0.3 && y.abs() < 0.3, "{x}, {y}");
}

#[test]
fn ones_own_layer_has_the_right_gradient() {
    let report = layer::main().unwrap();
    assert!(report.passes(), "{report}");
}

#[cfg(feature = "checkpoint")]
#[test]
fn a_trained_machine_runs_from_bytes() {
    let picture = embedded::main().unwrap();
    assert_eq!(picture.lines().count(), 28);
    let ink = picture.matches('#').count();
    assert!((20..300).contains(&ink), "{picture}");
}

#[test]
fn tensors_multiply() {
    assert_eq!(matrix::main().unwrap(), [1.0, 3.0]);
}

#[test]
fn a_deep_machine_learns_ones_own_bits() {
    let (bound, best) = (deep::main().unwrap(), -4_f64.ln());
    assert!(bound < best && bound > best - 1.5, "{bound}");
}

#[cfg(all(feature = "pretrained", feature = "png"))]
#[test]
fn folders_of_images_have_a_distance() {
    use equilibria::data::Dataset;
    use equilibria::report::picture;
    let digits = Dataset::synthetic(200, 100).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, images: &equilibria::data::Images, from: usize, change: fn(u8) -> u8| {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        for index in from..from + 100 {
            let pixels: Vec<u8> = images.image(index).iter().copied().map(change).collect();
            let png = picture([28, 28, 1], &pixels).unwrap();
            std::fs::write(folder.join(format!("{index}.png")), png).unwrap();
        }
        folder
    };
    let images = digits.train.images();
    let [real, same] =
        [("real", 0), ("same", 100)].map(|(name, from)| write(name, images, from, |pixel| pixel));
    let other = write("inverted", images, 100, |pixel| 255 - pixel);
    let [near, far] = [same, other].map(|folder| folders::main(&real, &folder).unwrap());
    assert!(near >= 0.0 && far > 3.0 * near, "{near}, {far}");
}

#[test]
fn models_and_learners_move_between_threads() {
    use equilibria::boltzmann::learning::{DeepLearner, Learner};
    use equilibria::boltzmann::{Dbm, DbmChains, GibbsChains, MeanField, Rbm};
    use equilibria::{Error, Tensor, adversarial::Game, data::BinaryImages, nn::Sequential};
    fn check<T: Send + Sync + Clone + std::fmt::Debug>() {}
    check::<(Rbm<f32>, Learner<f32>, GibbsChains<f32>, Tensor<f64>)>();
    check::<(Dbm<f32>, DeepLearner<f32>, DbmChains<f32>, MeanField<f32>)>();
    check::<(Sequential<f32>, Game<f32>, BinaryImages, Error)>();
}
