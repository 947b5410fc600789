//! A trained machine from bytes, as firmware embeds it. Works without `std`, with the feature `checkpoint`.
use equilibria::boltzmann::{GibbsChains, Rbm};
use equilibria::{Result, checkpoint::Archive, rng::Stream};

static BYTES: &[u8] = include_bytes!("../../fixtures/rbm-784-500.safetensors");

pub fn main() -> Result<String> {
    let model = Rbm::from_archive(&Archive::from_bytes(BYTES, "digits")?)?;
    let mut chains = GibbsChains::new(&model, 1, Stream::named(1, "chain"));
    chains.walk(300);
    let ink = |&p: &f32| if p > 0.5 { '#' } else { '.' };
    let rows = chains.visible_probabilities();
    Ok(rows.chunks(28).map(|row| row.iter().map(ink).collect::<String>() + "\n").collect())
}
