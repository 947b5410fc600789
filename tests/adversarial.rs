//! Do the games follow the gradients of their losses, and are they determined by their seeds alone?

#[path = "adversarial/changes.rs"]
mod changes;
#[path = "adversarial/duality.rs"]
mod duality;
#[path = "adversarial/gradients.rs"]
mod gradients;
#[path = "adversarial/penalty.rs"]
mod penalty;
#[path = "adversarial/plain.rs"]
mod plain;
#[path = "adversarial/playing.rs"]
mod playing;
#[path = "adversarial/wasserstein.rs"]
mod wasserstein;

use equilibria::Tensor;
use equilibria::adversarial::{Game, Networks, Objective, Recipe};
use equilibria::nn::Sequential;
use equilibria::optim::Rule;
use equilibria::rng::Stream;
use equilibria::tensor::Element;

/// All objectives, with small numbers of steps.
fn objectives() -> [Objective; 4] {
    use equilibria::adversarial::GeneratorLoss::{Minimax, NonSaturating};
    [
        Objective::Standard { generator: NonSaturating, label_smoothing: 0.1 },
        Objective::Standard { generator: Minimax, label_smoothing: 0.0 },
        Objective::Clipping { bound: 0.05, critic_steps: 3, head_start: false },
        Objective::Penalty { weight: 10.0, critic_steps: 3 },
    ]
}

/// Numbers of both signs.
fn normals<T: Element>(count: usize, seed: u64) -> Vec<T> {
    let mut numbers = Tensor::<T>::zeros(&[count]);
    numbers.fill_normal(Stream::named(seed, "test"), T::ONE);
    numbers.into_vec()
}

/// A generator and a discriminator with random values in every parameter.
fn players<T: Element>(networks: &Networks, seed: u64) -> [Sequential<T>; 2] {
    networks.start(Stream::named(seed, "init")).unwrap()
}

/// A game of plain gradient steps: the step is the rate times the gradient.
fn descent(objective: Objective, batch: usize, generator_rate: f64, discriminator_rate: f64) -> Recipe {
    let rule = |rate| Rule::Sgd { rate, momentum: 0.0 };
    Recipe {
        batch,
        generator: rule(generator_rate),
        discriminator: rule(discriminator_rate),
        ..Recipe::of(objective)
    }
}

/// Parameters of both players.
fn parameters<T: Element>(game: &Game<T>) -> [Vec<Tensor<T>>; 2] {
    [game.generator(), game.discriminator()].map(|player| player.parameters().cloned().collect())
}
