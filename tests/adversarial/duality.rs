//! Does the duality gap distinguish an equilibrium from other pairs?

use crate::wasserstein::shifted;
use crate::{normals, parameters, players};
use equilibria::Result;
use equilibria::adversarial::{DualityGap, Game, Networks, Objective, Recipe, Search, Streams};
use equilibria::optim::Rule;

fn fill_real(index: u64, samples: &mut [f64]) -> Result<()> {
    samples.copy_from_slice(&normals(samples.len(), 2000 + index));
    Ok(())
}

fn fill_test(index: u64, samples: &mut [f64]) -> Result<()> {
    fill_real(1_000_000 + index, samples)
}

/// A game with data from N(0, 1) in the plane. The generator shifts this distribution by `shift`, and the discriminator
/// is 0 everywhere.
fn begin(objective: Objective, shift: f64) -> Game<f64> {
    let [_, mut discriminator] = players(&Networks::plane(2, &[16; 2]), 1);
    discriminator.parameters_mut().skip(4).for_each(|parameter| parameter.fill(0.0));
    let rule = Rule::adam(3e-3, [0.5, 0.9]);
    let recipe = Recipe { batch: 256, generator: rule, discriminator: rule, ..Recipe::of(objective) };
    Game::new(shifted([0.6 * shift, -0.8 * shift]), discriminator, recipe).unwrap()
}

const SEARCH: Search = Search { steps: 60, batches: 8 };

#[test]
fn is_the_gap_small_at_an_equilibrium_and_large_elsewhere() {
    let penalty = Objective::Penalty { weight: 10.0, critic_steps: 1 };
    // A critic that is 0 everywhere has slope 0, which is penalised.
    for (objective, value, far) in [(Objective::standard(), -(4.0_f64.ln()), 0.5), (penalty, -10.0, 0.5)] {
        let at = |shift| {
            let game = begin(objective, shift);
            let before = parameters(&game);
            let gap = game.duality_gap(SEARCH, fill_real, fill_test, &Streams::of(9)).unwrap();
            assert_eq!(before, parameters(&game), "the game itself has changed");
            assert_eq!([game.steps(), game.discriminator_steps()], [0, 0]);
            assert!((gap.value - value).abs() < 1e-12, "{objective:?}: {gap:?}");
            gap
        };
        let [equilibrium, elsewhere] = [at(0.0), at(2.0)];
        // A critic gains 10 by a slope of 1 even if it does not discriminate: this gain does not measure the distance
        // from the equilibrium.
        let free = if objective == penalty { 10.0 } else { 0.0 };
        assert!((-0.3..0.05).contains(&(equilibrium.gap() - free)), "{objective:?}: {equilibrium:?}");
        assert!(elsewhere.gap() > free + far, "{objective:?}: {elsewhere:?}");
        assert!(elsewhere.best_discriminator > elsewhere.value + far, "{elsewhere:?}");
    }
}

#[test]
fn does_a_generator_gain_against_a_fixed_discriminator() {
    let [_, discriminator] = players(&Networks::plane(2, &[16; 2]), 1);
    let rule = Rule::adam(3e-3, [0.5, 0.9]);
    let recipe =
        Recipe { batch: 256, generator: rule, discriminator: rule, ..Recipe::of(Objective::standard()) };
    let game = Game::new(shifted([0.0, 0.0]), discriminator, recipe).unwrap();
    let gap = game.duality_gap(SEARCH, fill_real, fill_test, &Streams::of(9)).unwrap();
    assert!(gap.best_generator < gap.value - 0.01, "{gap:?}");
    assert_eq!(gap.gap(), gap.best_discriminator.max(gap.value) - gap.best_generator);
    // A player that ends worse after its steps counts with its original value.
    let no_gain = DualityGap { value: 0.5, best_discriminator: 0.4, best_generator: 0.7 };
    assert_eq!(no_gain.gap(), 0.0);
}

#[test]
fn do_both_relativistic_players_see_a_new_mini_batch_at_each_step() {
    let mut seen = Vec::new();
    let train = |index: u64, samples: &mut [f64]| {
        seen.push(index);
        fill_real(index, samples)
    };
    let game = begin(Objective::Relativistic, 1.0);
    game.duality_gap(Search { steps: 3, batches: 1 }, train, fill_test, &Streams::of(9)).unwrap();
    assert_eq!(seen, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn is_a_search_without_steps_or_batches_refused() {
    for search in [Search { steps: 0, ..SEARCH }, Search { batches: 0, ..SEARCH }] {
        let game = begin(Objective::standard(), 1.0);
        let error = game.duality_gap(search, fill_real, fill_test, &Streams::of(9)).unwrap_err().to_string();
        assert!(
            error.starts_with("a duality gap from ") && error.ends_with("it needs at least 1 of each"),
            "{error}"
        );
    }
}
