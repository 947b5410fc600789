//! The convolutions of a DCGAN compared with products of materialised patches (im2col) and with the multiply-add peak.

use super::context::{Context, noise, wrong};
use super::convolutions::{Direction, LAYERS, Patches, difference, direct, operations};
use super::entry::{Add, Entry, Unit};
use super::limits::{multiply_adds, multiply_adds_operations};
use super::measure::{measure_interleaved, repeat};
use crate::{Error, Result};
use equilibria_kernels::conv::{Convolution, Sizes, workspace_len};
use serde_json::json;

/// All layers in all directions, on all threads.
pub(super) fn run(context: &Context, add: Add<'_>) -> Result<()> {
    for layer in LAYERS {
        let convolution = layer.convolution().map_err(|error| Error::invalid(layer.name, error))?;
        for direction in Direction::ALL {
            add(context.on_all(|| measure(context, layer.name, &convolution, direction))?)?;
        }
    }
    Ok(())
}

/// Checks and measures one direction in the current thread pool.
fn measure(context: &Context, layer: &str, convolution: &Convolution, direction: Direction) -> Result<Entry> {
    let level = context.level;
    let lens = [convolution.x_len(), convolution.w_len(), convolution.y_len()];
    let [x, w, y] = lens.map(|len| noise::<f32>(level, len, -1.0..1.0));
    let operands = [&x[..], &w, &y];
    let mut ours = vec![0.0; direction.result_len(convolution)];
    let mut theirs = ours.clone();
    let mut workspace = vec![0.0; workspace_len::<f32>(level, convolution)];
    let mut patches = Patches::new(level, convolution);
    direct(level, convolution, direction, operands, &mut ours, &mut workspace);
    patches.call(direction, operands, &mut theirs);
    if let Some((found, right)) = difference(&ours, &theirs) {
        return Err(wrong(format!("conv {layer} {}", direction.name()), found, right));
    }
    let seconds = measure_interleaved(
        context.effort.part(2),
        &mut [
            &mut multiply_adds::<f32>(level),
            &mut repeat(|| direct(level, convolution, direction, operands, &mut ours, &mut workspace)),
            &mut repeat(|| patches.call(direction, operands, &mut theirs)),
        ],
    );
    let Sizes { batch, channels_in, channels_out, .. } = convolution.sizes();
    let [speed, twin] = [1, 2].map(|i: usize| operations(convolution) / seconds[i] / 1e9);
    let share = speed / (multiply_adds_operations::<f32>(level) / seconds[0] / 1e9);
    Ok(Entry {
        kernel: format!("conv {}", direction.name()),
        shape: format!("{layer}, batch {batch}"),
        threads: rayon::current_num_threads(),
        speed,
        unit: Unit::Gflops,
        share: Some(share),
        ratio: Some(speed / twin),
        json: json!({
            "layer": layer,
            "direction": direction.name(),
            "algorithm": "direct",
            "batch": batch,
            "channels_in": channels_in,
            "channels_out": channels_out,
            "gflops": speed,
            "fraction_of_peak": share,
            "im2col_gflops": twin,
        }),
    })
}
