//! A Wasserstein GAN with gradient penalty on one's own points: a cloud around (1, 0).
use core::ops::ControlFlow;
use equilibria::adversarial::{Game, Networks, Objective, Recipe};
use equilibria::optim::Rule;
use equilibria::{Result, Tensor, rng::Stream};

pub fn main() -> Result<[f32; 2]> {
    let mut cloud = Tensor::<f32>::zeros(&[1000, 2]);
    cloud.fill_normal(Stream::named(1, "points"), 0.2);
    let data = cloud.add_row(&[1.0, 0.0])?;
    let [generator, critic] = Networks::points(2, 4, &[32, 32]).start(Stream::named(1, "init"))?;
    let rule = Rule::adam(1e-3, [0.5, 0.9]);
    let recipe = Recipe { generator: rule, discriminator: rule, ..Recipe::of(Objective::penalty()) };
    let mut game = Game::new(generator, critic, recipe)?;
    game.fit(&data, 1000, 1, |reading, _| {
        if reading.step % 250 == 0 {
            println!("step {}: distance {:.3}", reading.step, reading.wasserstein.unwrap_or(f64::NAN));
        }
        ControlFlow::Continue(())
    })?;
    let samples = game.samples(500, Stream::named(2, "latent"))?;
    let sum = samples.data().chunks(2).fold([0.0; 2], |[x, y], point| [x + point[0], y + point[1]]);
    Ok(sum.map(|sum| sum / 500.0))
}
