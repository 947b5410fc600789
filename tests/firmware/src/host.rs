//! The parts that need a C library: output, the clock, and the end of the program.

use crate::{REQUESTS, Random, checksum, sampler};
use core::fmt::Write as _;
use core::ptr::{read_volatile, write_volatile};
use core::sync::atomic::Ordering::Relaxed;
use equilibria_kernels::Level;

#[link(name = "c")]
unsafe extern "C" {
    fn write(file: i32, bytes: *const u8, count: usize) -> isize;
    fn clock() -> i64;
    #[link_name = "exit"]
    fn leave(status: i32) -> !;
}

pub fn exit(status: i32) -> ! {
    // SAFETY: `exit` takes any status and does not return.
    unsafe { leave(status) }
}

/// Standard output.
struct Output;

impl core::fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        // SAFETY: the pointer and the length are those of `text`.
        let written = unsafe { write(1, text.as_ptr(), text.len()) };
        if written == text.len() as isize { Ok(()) } else { Err(core::fmt::Error) }
    }
}

/// Processor time in seconds. POSIX fixes the unit of `clock`.
fn seconds() -> f64 {
    // SAFETY: `clock` takes no argument.
    unsafe { clock() as f64 / 1e6 }
}

const PAINT: u8 = 0xa5;
/// The depth of the stack that is painted, and the part next to the caller that is left alone.
const DEPTH: usize = 64 << 10;
const CALLER: usize = 512;

fn stack_pointer() -> usize {
    let mark = 0_u8;
    core::ptr::from_ref(&mark).addr()
}

/// Fills the free stack below the caller, so that [`stack_used`] finds how far it was written.
#[inline(never)]
fn paint_stack(top: usize) {
    for address in (top - DEPTH..top - CALLER).rev() {
        // SAFETY: the main thread's stack grows on demand to this depth, and no frame is there.
        unsafe { write_volatile(core::ptr::with_exposed_provenance_mut::<u8>(address), PAINT) };
    }
}

#[inline(never)]
fn stack_used(top: usize) -> usize {
    let is_clean = |&address: &usize| {
        // SAFETY: `paint_stack` wrote this address.
        let byte = unsafe { read_volatile(core::ptr::with_exposed_provenance::<u8>(address)) };
        byte == PAINT
    };
    DEPTH - (top - DEPTH..top - CALLER).take_while(is_clean).count()
}

/// Loads the model and draws one sample, which uses the whole depth of the stack.
#[inline(never)]
fn load_and_draw(level: Level, buffers: &mut sampler::Buffers, random: &mut Random) -> u32 {
    let drawn = sampler::model()
        .and_then(|model| sampler::draw(&model.at_level(level), buffers, random).map(checksum));
    match drawn {
        Ok(sum) => sum,
        Err(error) => {
            let _ = writeln!(Output, "{error}");
            exit(1)
        }
    }
}

static mut BUFFERS: sampler::Buffers = sampler::BUFFERS;

#[unsafe(no_mangle)]
extern "C" fn main(_: i32, _: *const *const u8) -> i32 {
    // SAFETY: `main` runs once, on one thread, and makes the only reference.
    let buffers = unsafe { &mut *core::ptr::addr_of_mut!(BUFFERS) };
    for level in Level::available() {
        *buffers = sampler::BUFFERS;
        let mut random = Random(1);
        let top = stack_pointer();
        paint_stack(top);
        let sum = load_and_draw(level, buffers, &mut random);
        let stack = stack_used(top);
        let Ok(model) = sampler::model() else { return 1 };
        let model = model.at_level(level);
        let (mut samples, start) = (0_u32, seconds());
        while seconds() - start < 0.5 {
            if sampler::draw(&model, buffers, &mut random).is_err() {
                return 1;
            }
            samples += 1;
        }
        // An integer: the formatting of floats alone takes 15 KB of code.
        let speed = (f64::from(samples) / (seconds() - start)) as u32;
        let (name, requests, size) = (level.name(), REQUESTS.load(Relaxed), sampler::memory(&model));
        let line = writeln!(
            Output,
            "level={name} checksum={sum:08x} requests={requests} buffers={size} stack={stack} samples_per_second={speed}"
        );
        if line.is_err() || requests > 0 {
            return 1;
        }
    }
    0
}
