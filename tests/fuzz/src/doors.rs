//! Every place where bytes from outside come in, and pairs of computations that must agree. A door may refuse its input; it
//! must not panic, hang, or take much more memory than the input is long.

use equilibria::adversarial::{Generator, Networks};
use equilibria::boltzmann::learning::NegativePhase;
use equilibria::boltzmann::likelihood::annealed;
use equilibria::boltzmann::{Dbm, Rbm};
use equilibria::checkpoint::Archive;
use equilibria::data::photograph::Photograph;
use equilibria::data::{Dataset, Points, cifar, idx};
use equilibria::embedded::{StoredGenerator, StoredMachine};
use equilibria::evaluate::classifier::Classifier;
use equilibria::evaluate::encoder::Encoder;
use equilibria::nn::Plan;
use equilibria::optim::Schedule;
use equilibria::run::{Counter, Metrics, RunDirectory, RunSettings, dbm, gan, rbm};
use equilibria::transport::{Cost, ExactOptions, Ground, Marginals, SinkhornSettings, exact, sinkhorn};
use equilibria::{Result, Tensor};
use equilibria_kernels::conv::{self, Convolution, MinimalFiltering, Sizes, minimal};
use equilibria_kernels::{Epilogue, Level, MatrixMut, MatrixRef, gemm};
use std::path::{Path, PathBuf};
use std::{fs, process};

/// A function that takes any bytes.
pub type Door = fn(&[u8]);

/// All doors by name.
pub const DOORS: [(&str, Door); 14] = [
    ("idx", idx_file),
    ("cifar", cifar_records),
    ("npy", |bytes| data_file(bytes, "images.npy")),
    ("npz", |bytes| data_file(bytes, "images.npz")),
    ("gzip", |bytes| data_file(bytes, "train-images-idx3-ubyte.gz")),
    ("picture", picture),
    ("csv", |bytes| drop(in_file(bytes, "points.csv", Points::read))),
    ("archive", archive),
    ("embedded", embedded),
    ("config", config),
    ("metrics", metrics),
    ("text", text),
    ("kernels", kernels),
    ("transport", transport),
];

/// The door of this name.
pub fn find(name: &str) -> Option<Door> {
    DOORS.into_iter().find(|(own, _)| *own == name).map(|(_, door)| door)
}

/// A folder in memory, one per process.
fn folder() -> PathBuf {
    let folder = Path::new("/dev/shm").join(format!("equilibria-fuzz-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder in memory can be created");
    folder
}

/// Calls `read` with a file of these bytes.
fn in_file<X>(bytes: &[u8], name: &str, read: impl FnOnce(&Path) -> Result<X>) -> Result<X> {
    let path = folder().join(name);
    fs::write(&path, bytes).expect("a file in memory can be written");
    let found = read(&path);
    fs::remove_file(path).expect("it can be removed");
    found
}

fn idx_file(bytes: &[u8]) {
    let _ = idx::labels("the input", bytes);
    if let Ok(images) = idx::images("the input", bytes) {
        let again =
            idx::images("the copy", &idx::to_bytes(&images).expect("images that were read can be written"));
        assert!(again.expect("they can be read again").pixels() == images.pixels());
    }
}

fn cifar_records(bytes: &[u8]) {
    let _ = cifar::records("the input", bytes);
    let _ = in_file(bytes, "records.bin", |path| Dataset::load_any(path, None, None));
}

fn data_file(bytes: &[u8], name: &str) {
    let _ = in_file(bytes, name, |path| Dataset::load_any(path, None, None));
    let _ = in_file(bytes, name, Points::read);
}

fn picture(bytes: &[u8]) {
    let _ = in_file(bytes, "picture", Points::read);
    if let Ok(found) = in_file(bytes, "picture", Photograph::read) {
        let colours = found.colours();
        assert!(colours.iter().all(|x| (0.0..=1.0).contains(x)), "a colour outside its range");
    }
}

fn archive(bytes: &[u8]) {
    let Ok(archive) = Archive::from_bytes(bytes, "the input") else { return };
    if let Ok(model) = Rbm::<f32>::from_archive(&archive) {
        let bytes =
            model.to_archive().and_then(|archive| archive.to_bytes()).expect("a model can be written");
        let again =
            Archive::from_bytes(&bytes, "the copy").and_then(|archive| Rbm::<f32>::from_archive(&archive));
        assert!(again.expect("it can be read again") == model);
    }
    let _ = Dbm::<f32>::from_archive(&archive);
    let _ = Classifier::from_archive(&archive);
    let _ = Encoder::from_archive(&archive);
    let _ = Generator::from_archive(&archive);
}

fn embedded(bytes: &[u8]) {
    if let Ok(machine) = StoredMachine::from_bytes(bytes) {
        let mut state = vec![0.0; machine.state_len()];
        machine.step(0..0, &mut state, || 0x9e37_79b9_7f4a_7c15).expect("the state is long enough");
        assert!(state.iter().all(|x| *x == 0.0 || *x == 1.0));
    }
    if let Ok(generator) = StoredGenerator::from_bytes(bytes) {
        // The weights are in the file, but values between them are not.
        let needed = generator.workspace_len();
        if needed < 1 << 20 {
            let [latent, mut workspace] = [generator.latent_len(), needed].map(|length| vec![0.5; length]);
            let mut image = vec![0.0; generator.image_shape().size()];
            generator.generate(&latent, &mut workspace, &mut image).expect("the buffers are long enough");
        }
    }
}

fn config(bytes: &[u8]) {
    fn check<S: RunSettings>(folder: &Path) {
        if let Some(Ok(settings)) = RunDirectory::config_of::<S>(folder) {
            let _ = settings.check();
        }
    }
    let _ = in_file(bytes, "config.toml", |path| {
        let folder = path.parent().expect("a file has a folder");
        check::<rbm::Settings>(folder);
        check::<dbm::Settings>(folder);
        check::<gan::Settings>(folder);
        check::<equilibria::run::classifier::Settings>(folder);
        Ok(())
    });
}

/// The first byte is the number of rows that the checkpoint counts.
fn metrics(bytes: &[u8]) {
    let Some((rows, bytes)) = bytes.split_first() else { return };
    let path = folder().join("run");
    let directory = RunDirectory::create(&path, true).expect("a run can be created in memory");
    fs::write(directory.metrics_path(), bytes).expect("a file in memory can be written");
    let rows = usize::from(rows % 4);
    if let Ok(mut metrics) = Metrics::resume(&directory, Counter::EPOCHS, &["loss", "seconds [s]"], rows) {
        assert_eq!(metrics.rows().len(), rows);
        metrics.append(rows + 1, &[0.5, f64::NAN]).expect("a row can be added");
    }
}

fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // A network is built only where a program would: its size is checked first.
    if let Ok(plan) = text.parse::<Plan>()
        && plan.parameters() < 1 << 16
    {
        let _ = plan.build::<f32>();
    }
    if let Ok(networks) = text.parse::<Networks>() {
        let again: Networks = networks.to_string().parse().expect("its own text can be read");
        assert!(again == networks);
    }
    let _ = text.parse::<annealed::Schedule>();
    let _ = text.parse::<NegativePhase>();
    if let Ok(schedule) = text.parse::<Schedule>() {
        let again: Schedule = schedule.to_string().parse().expect("its own text can be read");
        assert!(again == schedule);
    }
}

/// An endless sequence of numbers from -1 to 1.
struct Numbers(u64);

impl Numbers {
    fn take(&mut self, count: usize) -> Vec<f32> {
        let mut next = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 40) as f32 / (1 << 23) as f32) - 1.0
        };
        (0..count).map(|_| next()).collect()
    }
}

#[track_caller]
fn near(found: &[f32], expected: &[f32], tolerance: f32) {
    for (x, y) in found.iter().zip(expected) {
        assert!((x - y).abs() <= tolerance, "{x} where {y} is right");
    }
}

/// Products at the machine's level against the portable level, and minimal filtering against the direct convolution.
fn kernels(bytes: &[u8]) {
    let size = |i: usize, most: usize| usize::from(bytes.get(i).copied().unwrap_or(1)) % most + 1;
    let seed = bytes.iter().fold(1, |seed: u64, &byte| seed.wrapping_mul(257).wrapping_add(byte.into()));
    let mut numbers = Numbers(seed);
    let [m, n, k] = [size(0, 70), size(1, 70), size(2, 70)];
    let (a, b) = (numbers.take(m * k), numbers.take(k * n));
    let product = |level| {
        let mut c = vec![f32::NAN; m * n];
        let (a, b) = (MatrixRef::new(&a, m, k), MatrixRef::new(&b, k, n));
        let mut workspace = vec![0.0; gemm::workspace_len::<f32>(level, m, n, k)];
        gemm(level, 1.0, a, b, 0.0, MatrixMut::new(&mut c, m, n), Epilogue::NONE, &mut workspace);
        c
    };
    near(&product(Level::detect()), &product(Level::PORTABLE), 1e-4);

    let level = Level::detect();
    let sizes = Sizes {
        batch: size(3, 3),
        image: [4 * size(4, 3); 2],
        channels_in: 16 * size(5, 2),
        channels_out: 16 * size(6, 2),
        kernel: [4; 2],
        stride: [2; 2],
        padding: [1; 2],
    };
    let convolution = Convolution::new(sizes).expect("the sizes fit");
    let Ok(filtering) = MinimalFiltering::new(convolution, 2) else { return };
    let (x, w) = (numbers.take(convolution.x_len()), numbers.take(convolution.w_len()));
    let mut direct = vec![f32::NAN; convolution.y_len()];
    let mut workspace = vec![0.0; conv::workspace_len::<f32>(level, &convolution)];
    conv::forward(level, &convolution, &x, &w, &mut direct, Epilogue::NONE, &mut workspace);
    let mut weights = vec![0.0; minimal::weights_len::<f32>(level, &filtering)];
    minimal::transform_weights(level, &filtering, &w, &mut weights);
    let mut found = vec![f32::NAN; direct.len()];
    let mut workspace = vec![0.0; minimal::workspace_len::<f32>(level, &filtering)];
    minimal::forward(level, &filtering, &x, &weights, &mut found, Epilogue::NONE, &mut workspace);
    near(&found, &direct, 1e-3);
}

/// The bounds of Sinkhorn's algorithm enclose the exact cost.
fn transport(bytes: &[u8]) {
    let [Some(&n), Some(&m), Some(&epsilon)] = [0, 1, 2].map(|i| bytes.get(i)) else { return };
    let [n, m] = [n, m].map(|size| usize::from(size) % 12 + 1);
    let place = |i: usize| f64::from(bytes.get(3 + i).copied().unwrap_or(i as u8)) / 255.0;
    let x = Tensor::from_vec(&[n, 1], (0..n).map(place).collect()).expect("the size is right");
    let y = Tensor::from_vec(&[m, 1], (n..n + m).map(place).collect()).expect("the size is right");
    let masses = |count: usize, first: usize| {
        let masses: Vec<f64> = (first..first + count).map(|i| place(40 + i).max(0.001)).collect();
        let total: f64 = masses.iter().sum();
        masses.iter().map(|mass| mass / total).collect::<Vec<_>>()
    };
    let marginals = Marginals::new(&masses(n, 0), &masses(m, n)).expect("the masses are positive");
    let cost = Cost::points(&x, &y, Ground::SquaredEuclidean).expect("the points are finite");
    let best = exact(&cost, &marginals, ExactOptions::default()).expect("there is an optimum");
    assert!(best.converged && best.upper_bound - best.lower_bound < 1e-9);
    let settings = SinkhornSettings::epsilon(0.001 + f64::from(epsilon) / 255.0);
    let found = sinkhorn(&cost, &marginals, &settings, &mut |_| true).expect("the settings are in range");
    assert!(found.lower_bound <= best.cost + 1e-9 && best.cost <= found.upper_bound + 1e-9, "{found:?}");
}
