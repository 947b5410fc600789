//! Do training steps and likelihood estimates allocate nothing in steady state?

#![cfg(feature = "parallel")]

use equilibria::adversarial::{
    Augmentation, Game, Networks, Normalisation, Objective, Recipe, Streams, ZeroCentred, dcgan, mlp,
};
use equilibria::boltzmann::learning::deep::DeepLearner;
use equilibria::boltzmann::learning::{Learner, NegativePhase, Rates};
use equilibria::boltzmann::likelihood::annealed::{Annealing, Schedule};
use equilibria::boltzmann::likelihood::exact;
use equilibria::boltzmann::{Dbm, DbmChains, MeanField, Rbm, Stop};
use equilibria::data::{Binarisation, Images};
use equilibria::nn::{
    Activation, BatchNorm, Cache, Deltas, Dropout, Gradients, Initialisation, Layer, LayerNorm, Linear,
    Scratch, Sequential, Shape, Spec, Tangents, Training, Wanted,
};
use equilibria::optim::{Optimiser, Rule};
use equilibria::rng::Stream;
use equilibria::tensor::{Epilogue, Tensor, Workspace, product_into};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with a counter for the threads that request it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// The counter of this thread's allocations. It needs neither initialisation nor a destructor, and therefore no
    /// allocation.
    static COUNTER: Cell<Option<&'static AtomicUsize>> = const { Cell::new(None) };
}

fn count() {
    if let Ok(Some(counter)) = COUNTER.try_with(Cell::get) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every request goes to `System` unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller fulfils the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller fulfils the contract of `GlobalAlloc::alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller fulfils the contract of `GlobalAlloc::realloc`; `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller fulfils the contract of `GlobalAlloc::dealloc`; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

const WARM_UP: usize = 3;
const STEPS: usize = 9;

/// Allocations on all threads of a pool in `STEPS` calls of `step(i)`, after `WARM_UP` others.
fn allocations(threads: usize, mut step: impl FnMut(usize) + Send) -> usize {
    let counter: &'static AtomicUsize = Box::leak(Box::default());
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .start_handler(move |_| COUNTER.set(Some(counter)))
        .build()
        .unwrap();
    // Inside the pool, jobs bypass rayon's queue for external threads, which allocates.
    pool.install(|| {
        rayon::broadcast(|_| ()); // every thread has started and searched for work
        (0..WARM_UP).for_each(&mut step);
        let before = counter.load(Ordering::SeqCst);
        (WARM_UP..WARM_UP + STEPS).for_each(&mut step);
        counter.load(Ordering::SeqCst) - before
    })
}

/// Allocations of training steps, including the short mini-batch at the end of an epoch.
fn allocations_of_training(
    threads: usize,
    phase: NegativePhase,
    centred: bool,
    binarise: Binarisation,
) -> usize {
    // Large enough that the matrix products are split over threads.
    const BATCH: usize = 40;
    let images = Images::new(28, 28, (0..200 * 784).map(|i| (i * 31 % 251) as u8).collect()).unwrap();
    let order: Vec<usize> = (0..200).rev().collect();
    let stream = Stream::named(1, "chain");
    let model = Rbm::<f32>::new(&binarise.mean(&images), 16, stream.substream(0)).unwrap();
    let mut learner = Learner::new(model, phase, 1, BATCH, stream.substream(1)).unwrap();
    if centred {
        learner = learner.centred();
    }
    let rates = Rates { learning_rate: 0.05, momentum: 0.9, weight_decay: 1e-4 };
    allocations(threads, |step| {
        let batch = &order[..if step % 3 == 2 { 13 } else { BATCH }];
        let stream = stream.substream(step as u64 + 2);
        binarise.fill(&images, batch, stream, learner.images_mut(batch.len())).unwrap();
        learner.update(rates, stream.substream(0)).unwrap();
    })
}

#[test]
fn training_steps_allocate_nothing() {
    for threads in [1, 2] {
        for phase in [
            NegativePhase::Contrastive,
            NegativePhase::Persistent,
            NegativePhase::Tempered { temperatures: 3 },
        ] {
            for binarise in [Binarisation::Sampled, Binarisation::Threshold, Binarisation::Grey] {
                for centred in [false, true] {
                    let count = allocations_of_training(threads, phase, centred, binarise);
                    let what = (threads, phase, centred, binarise);
                    assert_eq!(count, 0, "{count} allocations: {what:?} threads, method, centred, images");
                }
            }
        }
    }
}

/// Allocations of joint updates of a deep machine, and of sweeps of its chains.
fn allocations_of_deep_steps(threads: usize, centred: bool, binarise: Binarisation) -> [usize; 2] {
    const BATCH: usize = 40;
    let images = Images::new(28, 28, (0..200 * 784).map(|i| (i * 31 % 251) as u8).collect()).unwrap();
    let order: Vec<usize> = (0..200).rev().collect();
    let stream = Stream::named(1, "chain");
    let model = Dbm::<f32>::new(&binarise.mean(&images), &[70, 90, 20], stream.substream(0)).unwrap();
    let mut chains = DbmChains::new(&model, BATCH, stream);
    let mut learner = DeepLearner::new(model, BATCH, 30, 2, stream.substream(1))
        .unwrap()
        .with_stop(Stop { tolerance: 0.0, iterations: 3 })
        .with_max_norm(0.1)
        .unwrap();
    if centred {
        learner = learner.centred();
    }
    let rates = Rates { learning_rate: 0.05, momentum: 0.9, weight_decay: 1e-4 };
    let of_steps = allocations(threads, |step| {
        let batch = &order[..if step % 3 == 2 { 13 } else { BATCH }];
        let stream = stream.substream(step as u64 + 2);
        binarise.fill(&images, batch, stream, learner.images_mut(batch.len())).unwrap();
        learner.update(rates, stream.substream(0)).unwrap();
    });
    [of_steps, allocations(threads, |_| chains.walk(1))]
}

#[test]
fn deep_steps_allocate_nothing() {
    for threads in [1, 2] {
        for binarise in [Binarisation::Threshold, Binarisation::Grey] {
            for centred in [false, true] {
                let counts = allocations_of_deep_steps(threads, centred, binarise);
                let what = (threads, centred, binarise);
                assert_eq!(
                    counts, [0; 2],
                    "allocations of steps and sweeps: {what:?} threads, centred, images"
                );
            }
        }
    }
}

/// Allocations of the steps of a game, some with a report.
fn allocations_of_games(threads: usize, networks: &Networks, recipe: Recipe) -> usize {
    let [generator, discriminator] = networks.start(Stream::named(1, "init")).unwrap();
    let mut game = Game::new(generator, discriminator, recipe).unwrap();
    let streams = Streams::of(2);
    allocations(threads, |step| {
        let real = |index: u64, samples: &mut [f32]| {
            samples.iter_mut().zip(index..).for_each(|(x, i)| *x = (i * 31 % 255) as f32 / 127.0 - 1.0);
            Ok(())
        };
        game.step(real, &streams, step % 2 == 0).unwrap();
    })
}

#[test]
fn steps_of_games_allocate_nothing() {
    for threads in [1, 2] {
        for objective in [
            Objective::standard(),
            // More mini-batches than one pass through the generator takes.
            Objective::Clipping { bound: 0.01, critic_steps: 8, head_start: false },
            Objective::penalty(),
        ] {
            for average in [None, Some(0.99)] {
                // Large enough that the matrix products are split over threads.
                let networks = Networks {
                    generator: mlp(&[30, 64, 100, 300], Normalisation::Batch, Some(Spec::Tanh)),
                    discriminator: mlp(&[300, 200, 50, 1], Normalisation::None, None),
                };
                let recipe = Recipe { batch: 40, average, ..Recipe::of(objective) };
                let count = allocations_of_games(threads, &networks, recipe);
                assert_eq!(count, 0, "{count} allocations on {threads} threads, {objective:?}, {average:?}");
            }
        }
    }
}

#[test]
fn steps_of_convolutional_games_allocate_nothing() {
    let image = Shape { height: 16, width: 16, channels: 3 };
    let augmentation = Augmentation { translation: true, cutout: true, colour: true };
    let zero_centred = ZeroCentred { real: 1.0, generated: 1.0, every: 2 };
    for threads in [1, 2] {
        for (normalisation, objective, zero_centred) in [
            (Normalisation::Batch, Objective::standard(), ZeroCentred::NONE),
            (Normalisation::None, Objective::Relativistic, zero_centred),
            (Normalisation::Layer, Objective::penalty(), ZeroCentred::NONE),
        ] {
            let networks = dcgan(image, 30, 32, normalisation).unwrap();
            let recipe = Recipe { batch: 16, augmentation, zero_centred, ..Recipe::of(objective) };
            let count = allocations_of_games(threads, &networks, recipe);
            assert_eq!(count, 0, "{count} allocations on {threads} threads, {recipe:?}");
        }
    }
}

#[test]
fn mean_field_inference_allocates_nothing() {
    // Large enough that the matrix products are split over threads.
    const ROWS: usize = 200;
    // The images differ, so that they converge at different steps.
    let images: Vec<f32> = (0..ROWS * 300).map(|i| f32::from(u8::from(i * i % 7 < i / 300 % 5))).collect();
    for sizes in [&[140, 200][..], &[140, 90, 60], &[250, 500]] {
        let model = Dbm::<f32>::new(&[0.2; 300], sizes, Stream::named(1, "init")).unwrap();
        let logits: Vec<f32> = (0..ROWS * sizes[0]).map(|i| (i / sizes[0]) as f32 / 10.0 - 9.0).collect();
        for threads in [1, 2] {
            let mut posterior = MeanField::new(&model, ROWS);
            let count = allocations(threads, |step| {
                // Includes the short mini-batch at the end of an epoch.
                let rows = if step % 3 == 2 { 13 } else { ROWS };
                let stop = Stop { tolerance: if step % 2 == 0 { 0.0 } else { 1e-6 }, iterations: 50 };
                posterior.infer(&model, &images[..rows * 300], stop).unwrap();
                posterior.infer_from_logits(&model, &logits[..rows * sizes[0]], stop).unwrap();
            });
            assert_eq!(count, 0, "{count} allocations on {threads} threads, layers {sizes:?}");
        }
    }
}

/// Allocations of a training step through every kind of layer, with a penalty if `layers` allow it.
fn allocations_of_passes(threads: usize, layers: Vec<Box<dyn Layer<f32>>>, is_penalised: bool) -> usize {
    const BATCH: usize = 40;
    let stream = Stream::named(1, "init");
    let mut model = Sequential::new(300, layers).unwrap();
    model.initialise(Initialisation::Uniform, stream);
    let (mut cache, mut deltas, mut scratch) = (Cache::new(&model), Deltas::new(&model), Scratch::new());
    let (mut tangents, mut gradients) = (Tangents::new(&model), Gradients::new(&model));
    let mut optimiser = Optimiser::new(Rule::adam(1e-3, [0.5, 0.9]), &model).unwrap();
    let (seed, mut output) = (vec![0.1; 2 * BATCH * model.outputs()], vec![0.0; 2 * BATCH * model.outputs()]);
    allocations(threads, |step| {
        let rows = if step % 3 == 2 { 13 } else { BATCH };
        let numbers = cache.input_mut(2 * rows).iter_mut().enumerate();
        numbers.for_each(|(i, x)| *x = ((i + step) * 31 % 17) as f32 / 17.0);
        let training = Training::new(stream.substream(step as u64)).with_batches(2);
        model.forward(&mut cache, training, &mut scratch).unwrap();
        let wanted = Wanted::both(&mut gradients, 0..rows, rows..2 * rows);
        let seed = &seed[..2 * rows * model.outputs()];
        model.backward(&cache, seed, wanted, &mut deltas, &mut scratch).unwrap();
        if is_penalised {
            tangents.direction_mut(rows..2 * rows).copy_from_slice(deltas.input(rows..2 * rows));
            model.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut scratch).unwrap();
        }
        optimiser.step(&mut model, &mut gradients).unwrap();
        gradients.clear();
        model.infer(cache.input(), &mut scratch, &mut output[..2 * rows * model.outputs()]).unwrap();
    })
}

#[test]
fn passes_through_networks_allocate_nothing() {
    for threads in [1, 2] {
        let critic = vec![
            Linear::new(300, 140).into(),
            LayerNorm::new(140).into(),
            Activation::Tanh.into(),
            Dropout::new(0.2).into(),
            Linear::new(140, 90).into(),
            Activation::LeakyRelu { slope: 0.2 }.into(),
            Linear::new(90, 1).into(),
        ];
        assert_eq!(allocations_of_passes(threads, critic, true), 0, "a critic on {threads} threads");
        let generator = vec![
            Linear::without_bias(300, 140).into(),
            BatchNorm::new(140).into(),
            Activation::Relu.into(),
            Linear::new(140, 200).into(),
            Activation::Sigmoid.into(),
        ];
        assert_eq!(allocations_of_passes(threads, generator, false), 0, "a generator on {threads} threads");
    }
}

/// Allocations of complete estimates: forward and reverse annealing over `steps` steps, exact sums over 2^`units`
/// states.
fn allocations_of_estimates(threads: usize, steps: usize, units: usize) -> [usize; 3] {
    let stream = Stream::named(1, "chain");
    // Large enough that both layers are split over threads, with more chains than one group.
    let model = Rbm::<f32>::new(&[0.3; 784], 140, stream.substream(0)).unwrap();
    let small = Rbm::<f32>::new(&[0.3; 300], units, stream.substream(0)).unwrap();
    let schedule = Schedule::even(steps).unwrap();
    let annealing = Annealing::new(&model, &[0.3; 784], &schedule).unwrap();
    let images = vec![1.0; 784 * 140];
    [
        allocations(threads, |_| drop(black_box(annealing.forward(140, stream, |_| Ok(()))))),
        allocations(threads, |_| drop(black_box(annealing.reverse(&images, 1, stream, |_| Ok(()))))),
        allocations(threads, |_| drop(black_box(exact::log_partition(&small)))),
    ]
}

#[test]
fn longer_estimates_allocate_no_more() {
    for threads in [1, 2] {
        let short = allocations_of_estimates(threads, 2, 12);
        assert!(short.iter().all(|&count| count > 0 && count < 100 * STEPS), "{short:?}");
        // 12 units fill the slots of one round; 15 need eight rounds.
        assert_eq!(allocations_of_estimates(threads, 30, 15), short, "on {threads} threads");
    }
}

#[test]
fn allocations_on_every_thread_are_counted() {
    assert_eq!(allocations(1, |_| drop(black_box(vec![0_u8; 100]))), STEPS);
    // Sending a job to every thread also takes a few allocations.
    let count = allocations(2, |_| {
        rayon::broadcast(|_| (0..20).for_each(|_| drop(black_box(vec![0_u8; 100]))));
    });
    assert!((40 * STEPS..60 * STEPS).contains(&count), "{count}");
    // A vector that grows is reallocated.
    let mut grown: Vec<u64> = Vec::new();
    assert!(allocations(1, |step| grown.resize((step + 1) * 1000, 0)) >= 2);
    assert_eq!(allocations(2, |_| {}), 0);
}

#[test]
fn a_workspace_allocates_only_when_it_grows() {
    let (a, b) = (Tensor::<f32>::zeros(&[40, 50]), Tensor::zeros(&[50, 30]));
    let mut out = Tensor::zeros(&[40, 30]);
    let mut workspace = Workspace::new();
    let count = allocations(1, |_| {
        workspace.reserve(40, 30, 50);
        product_into(a.view(), b.view(), Epilogue::NONE, &mut workspace, out.view_mut()).unwrap();
        workspace.reserve(2, 3, 4);
    });
    assert_eq!(count, 0, "after the first product");
    let count = allocations(1, |_| Workspace::<f32>::new().reserve(400, 300, 500));
    assert_eq!(count, STEPS, "an empty workspace grows");
}
