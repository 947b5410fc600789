//! Draws samples from a model in flash memory: no standard library, no allocation.
//!
//! On a host with a C library it prints one line `key=value ...` for each SIMD level; on a device it only runs.
#![no_std]
#![no_main]

#[cfg(not(target_os = "none"))]
mod host;

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use equilibria::embedded::ModelError;

/// The model, at any alignment.
static MODEL: &[u8] = include_bytes!(env!("FIRMWARE_MODEL"));

/// The library links `alloc`, which demands an allocator. This one has no memory: a request ends the program.
struct NoMemory;

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

static REQUESTS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: a null pointer tells that there is no memory; nothing is ever given out or taken back.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        REQUESTS.store(REQUESTS.load(Relaxed) + 1, Relaxed);
        null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// The caller's random stream: xorshift64* (Vigna 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// FNV-1a over the bits of numbers.
fn checksum(numbers: &[f32]) -> u32 {
    let bytes = numbers.iter().flat_map(|x| x.to_bits().to_le_bytes());
    bytes.fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(not(feature = "generator"))]
mod sampler {
    use super::{MODEL, ModelError, Random};
    use equilibria::embedded::StoredMachine;

    /// The states of 784 visible and 500 hidden units.
    pub type Buffers = [f32; 784 + 500];
    pub const BUFFERS: Buffers = [0.0; 784 + 500];

    pub fn model() -> Result<StoredMachine<'static>, ModelError> {
        StoredMachine::from_bytes(MODEL)
    }

    /// Bytes of the buffers that the model needs.
    #[cfg(not(target_os = "none"))]
    pub fn memory(machine: &StoredMachine<'_>) -> usize {
        4 * machine.state_len()
    }

    /// A sample: 10 Gibbs steps. Returns the visible units.
    pub fn draw<'a>(
        machine: &StoredMachine<'_>,
        state: &'a mut Buffers,
        random: &mut Random,
    ) -> Result<&'a [f32], ModelError> {
        for _ in 0..10 {
            machine.step(0..784, state, || random.next())?;
        }
        Ok(&state[..784])
    }
}

#[cfg(feature = "generator")]
mod sampler {
    use super::{MODEL, ModelError, Random};
    use equilibria::embedded::{StoredGenerator, fill_latent};

    /// A latent vector, a workspace and an image, each large enough for images of 32x32 pixels in colour.
    pub type Buffers = ([f32; 128], [f32; 1 << 15], [f32; 1 << 12]);
    pub const BUFFERS: Buffers = ([0.0; 128], [0.0; 1 << 15], [0.0; 1 << 12]);

    pub fn model() -> Result<StoredGenerator<'static>, ModelError> {
        StoredGenerator::from_bytes(MODEL)
    }

    /// Bytes of the buffers that the model needs.
    #[cfg(not(target_os = "none"))]
    pub fn memory(generator: &StoredGenerator<'_>) -> usize {
        4 * (generator.latent_len() + generator.workspace_len() + generator.image_shape().size())
    }

    /// A sample: the image of a random latent vector.
    pub fn draw<'a>(
        generator: &StoredGenerator<'_>,
        (latent, workspace, image): &'a mut Buffers,
        random: &mut Random,
    ) -> Result<&'a [f32], ModelError> {
        fill_latent(latent, || random.next());
        generator.generate(latent, workspace, image)?;
        Ok(&image[..generator.image_shape().size()])
    }
}

#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    let mut buffers = sampler::BUFFERS;
    let mut random = Random(1);
    loop {
        let drawn =
            sampler::model().and_then(|model| sampler::draw(&model, &mut buffers, &mut random).map(checksum));
        let _ = core::hint::black_box(drawn);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[cfg(not(target_os = "none"))]
    host::exit(101);
    #[cfg(target_os = "none")]
    loop {}
}
