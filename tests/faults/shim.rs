//! A library to preload: the call with number FAULT_AT to a function that changes files fails as FAULT_KIND says.
//!
//! `enospc` and `eio` return that error; `torn` writes half of the bytes, then ends the process; `kill` ends it before
//! the call. Without FAULT_AT, the number of calls is written to the file FAULT_COUNT at the end.
//!
//! With FAULT_WAIT, opening a file whose path ends with it never returns. With FAULT_CLOCK, every clock goes back by a second
//! each time it is read.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn _exit(status: c_int) -> !;
    fn getenv(name: *const c_char) -> *mut c_char;
    fn syscall(number: c_long, ...) -> c_long;
    fn __errno_location() -> *mut c_int;
}

const NEXT: *mut c_void = usize::MAX as *mut c_void;
const ENOSPC: c_int = 28;
const EIO: c_int = 5;
/// The status of a process that was killed.
const KILLED: c_int = 137;
/// Flags of `open` that change a file: for writing, for both, to create.
const CHANGES: c_int = 0o103;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static FAULT: OnceLock<Option<(usize, String)>> = OnceLock::new();

/// The original function.
unsafe fn original<F: Copy>(name: &CStr) -> F {
    // SAFETY: the caller gives the type of the function.
    unsafe {
        let found = dlsym(NEXT, name.as_ptr());
        assert!(!found.is_null());
        std::mem::transmute_copy(&found)
    }
}

/// Counts a call. Returns the fault if it is due.
fn due() -> Option<&'static str> {
    let number = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    let fault = FAULT.get_or_init(|| {
        let at = std::env::var("FAULT_AT").ok()?.parse().ok()?;
        Some((at, std::env::var("FAULT_KIND").unwrap_or_default()))
    });
    fault.as_ref().filter(|(at, _)| *at == number).map(|(_, kind)| kind.as_str())
}

/// Returns the error, or ends the process.
fn fail(kind: &str) -> c_int {
    // SAFETY: the C library's own functions.
    unsafe {
        match kind {
            "enospc" => *__errno_location() = ENOSPC,
            "eio" => *__errno_location() = EIO,
            _ => _exit(KILLED),
        }
    }
    -1
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(file: c_int, bytes: *const c_void, count: usize) -> isize {
    // SAFETY: as the C library's function.
    unsafe {
        let write: unsafe extern "C" fn(c_int, *const c_void, usize) -> isize = original(c"write");
        if file <= 2 {
            return write(file, bytes, count);
        }
        match due() {
            None => write(file, bytes, count),
            Some("torn") => {
                write(file, bytes, count / 2);
                _exit(KILLED)
            }
            Some(kind) => fail(kind) as isize,
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as the C library's function.
    unsafe {
        let open: unsafe extern "C" fn(*const c_char, c_int, c_uint) -> c_int = original(c"open64");
        if let Ok(end) = std::env::var("FAULT_WAIT")
            && CStr::from_ptr(path).to_bytes().ends_with(end.as_bytes())
        {
            loop {
                std::thread::sleep(std::time::Duration::from_secs(1));
            }
        }
        match (flags & CHANGES != 0).then(due).flatten() {
            None => open(path, flags, mode),
            Some(kind) => fail(kind),
        }
    }
}

#[repr(C)]
pub struct Time {
    seconds: i64,
    nanoseconds: i64,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Time) -> c_int {
    static READ: AtomicUsize = AtomicUsize::new(0);
    const NUMBER: c_long = if cfg!(target_arch = "x86_64") { 228 } else { 113 };
    // SAFETY: as the C library's function. A sanitiser reads the clock while it allocates: nothing here may allocate.
    unsafe {
        let status = syscall(NUMBER, clock, time) as c_int;
        if !getenv(c"FAULT_CLOCK".as_ptr()).is_null() {
            (*time).seconds = 1_000_000 - READ.fetch_add(1, Ordering::Relaxed) as i64;
        }
        status
    }
}

macro_rules! with_arguments {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $kind),*) -> c_int {
            // SAFETY: as the C library's function.
            unsafe {
                let next: unsafe extern "C" fn($($kind),*) -> c_int =
                    original(CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()).unwrap());
                match due() {
                    None => next($($argument),*),
                    Some(kind) => fail(kind),
                }
            }
        }
    )*};
}

with_arguments! {
    fsync(file: c_int);
    fdatasync(file: c_int);
    ftruncate64(file: c_int, length: i64);
    rename(from: *const c_char, to: *const c_char);
    unlink(path: *const c_char);
    mkdir(path: *const c_char, mode: c_uint);
}

/// Writes the number of calls when the process ends.
extern "C" fn at_end() {
    if let Ok(path) = std::env::var("FAULT_COUNT") {
        let count = CALLS.load(Ordering::Relaxed);
        let _ = std::fs::write(path, count.to_string());
    }
}

#[used]
#[unsafe(link_section = ".fini_array")]
static AT_END: extern "C" fn() = at_end;
