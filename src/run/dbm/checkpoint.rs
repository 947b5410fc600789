//! The checkpoint of a run between any two updates, in either stage.

use super::Run;
use super::stage::Stage;
use crate::boltzmann::{Dbm, Rbm};
use crate::checkpoint::Archive;
use crate::checkpoint::image_shape::describe_shape;
use crate::run::restore::not_reached;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Names of a restricted machine's parameters in the tensors of a checkpoint.
const PARAMETERS: [&str; 3] = ["weight", "visible_bias", "hidden_bias"];

impl Run<'_> {
    pub(super) fn build_checkpoint(&mut self) -> Result<Archive> {
        let mut archive = match &mut self.stage {
            Stage::Joint(learner) => {
                let mut archive = learner.model().to_archive()?;
                let state = learner.state();
                insert(&mut archive, "weight_velocity", &state.weight_velocity)?;
                insert(&mut archive, "bias_velocity", &state.bias_velocity)?;
                insert(&mut archive, "chains", &state.chains)?;
                insert(&mut archive, "offsets", state.offsets.as_deref().unwrap_or_default())?;
                archive
            }
            Stage::Alone(learner) => {
                let mut archive = Archive::new();
                archive.set_metadata("model", "dbm");
                for (place, machine) in self.below.machines.iter().enumerate() {
                    insert_machine(&mut archive, place, machine)?;
                }
                insert_machine(&mut archive, self.below.machines.len(), &learner.model())?;
                let state = learner.state();
                insert(&mut archive, "velocity", &state.velocity)?;
                insert(&mut archive, "offsets", state.offsets.as_ref().map_or(&[], |offsets| &offsets[..]))?;
                archive
            }
        };
        describe_shape(&mut archive, self.digits.train.images().shape());
        self.epochs.describe(&mut archive);
        Ok(archive)
    }

    pub(super) fn restore_checkpoint(&mut self, archive: &Archive) -> Result<()> {
        self.epochs.restore(archive)?;
        let Some(place) = self.settings.machine(self.epochs.epoch) else {
            let model = Dbm::from_archive(archive)?;
            if !model.sizes().eq(self.sizes.iter().copied()) {
                return Err(not_reached(archive, "weight"));
            }
            self.stage = Stage::joint(&self.settings, model.clone())?;
            let Stage::Joint(learner) = &mut self.stage else { unreachable!("it is joint") };
            let mut state = learner.state();
            restore(archive, "weight_velocity", &mut state.weight_velocity)?;
            restore(archive, "bias_velocity", &mut state.bias_velocity)?;
            restore(archive, "chains", &mut state.chains)?;
            restore(archive, "offsets", state.offsets.as_deref_mut().unwrap_or_default())?;
            learner.restore(&model, &state);
            return Ok(());
        };
        let machine = |place: usize| machine_of(archive, place, [self.sizes[place], self.sizes[place + 1]]);
        self.below.machines = (0..place).map(machine).collect::<Result<_>>()?;
        let model = machine(place)?;
        self.stage = Stage::alone(&self.settings, place, model.clone())?;
        let Stage::Alone(learner) = &mut self.stage else { unreachable!("it is alone") };
        let mut state = learner.state();
        restore(archive, "velocity", &mut state.velocity)?;
        restore(archive, "offsets", state.offsets.as_mut().map_or(&mut [], |offsets| &mut offsets[..]))?;
        learner.restore(&model, &state);
        Ok(())
    }
}

/// The name of a tensor, such as `machine_1_weight`.
fn parameter(place: usize, name: &str) -> String {
    format!("machine_{}_{name}", place + 1)
}

fn insert_machine(archive: &mut Archive, place: usize, machine: &Rbm<f32>) -> Result<()> {
    let tensors = [machine.weight(), machine.visible_bias(), machine.hidden_bias()];
    for (name, tensor) in PARAMETERS.into_iter().zip(tensors) {
        archive.insert_f32(&parameter(place, name), tensor.shape(), tensor.data())?;
    }
    Ok(())
}

fn machine_of(archive: &Archive, place: usize, [visible, hidden]: [usize; 2]) -> Result<Rbm<f32>> {
    let tensor = |name: &str, shape: &[usize]| {
        Tensor::from_vec(shape, archive.tensor_f32(&parameter(place, name), shape)?.to_vec())
    };
    let [weight, visible_bias, hidden_bias] = PARAMETERS;
    Rbm::from_parameters(
        tensor(weight, &[visible, hidden])?,
        tensor(visible_bias, &[visible])?,
        tensor(hidden_bias, &[hidden])?,
    )
    .map_err(|error| Error::malformed(archive.place(), 8, error))
}

/// Inserts the tensors `name_0`, `name_1` and so on.
fn insert(archive: &mut Archive, name: &str, tensors: &[Tensor<f32>]) -> Result<()> {
    for (place, tensor) in tensors.iter().enumerate() {
        archive.insert_f32(&format!("{name}_{place}"), tensor.shape(), tensor.data())?;
    }
    Ok(())
}

fn restore(archive: &Archive, name: &str, tensors: &mut [Tensor<f32>]) -> Result<()> {
    for (place, tensor) in tensors.iter_mut().enumerate() {
        let values = archive.finite_f32(&format!("{name}_{place}"), tensor.shape())?;
        tensor.data_mut().copy_from_slice(values);
    }
    Ok(())
}
