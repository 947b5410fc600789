//! Buffers next to an unmapped page: a kernel that reads or writes one element too far crashes.

use std::ops::{Deref, DerefMut};

/// `len` zeros next to an inaccessible page at one end. On systems other than Unix, a `Vec`.
pub struct GuardedBuffer<T> {
    #[cfg(unix)]
    _mapping: unix::Mapping,
    #[cfg(unix)]
    start: *mut T,
    #[cfg(unix)]
    len: usize,
    #[cfg(not(unix))]
    elements: Vec<T>,
}

#[allow(dead_code)] // each test file uses only some
impl<T: Copy + Default> GuardedBuffer<T> {
    /// The last element ends where the unmapped page begins: accesses beyond the end fault.
    pub fn at_end(len: usize) -> Self {
        Self::new(len, true)
    }

    /// The first element begins where the unmapped page ends: accesses before the start fault.
    pub fn at_start(len: usize) -> Self {
        Self::new(len, false)
    }

    #[cfg(unix)]
    fn new(len: usize, at_end: bool) -> Self {
        let bytes = len * size_of::<T>();
        let mapping = unix::Mapping::new(bytes);
        let offset = if at_end { mapping.bytes() - bytes } else { 0 };
        // SAFETY: `offset + bytes` is within the mapping, whose bytes are zero; T is a plain number.
        let start = unsafe { mapping.first().add(offset) }.cast::<T>();
        assert!(start.is_aligned());
        Self { _mapping: mapping, start, len }
    }

    #[cfg(not(unix))]
    fn new(len: usize, _at_end: bool) -> Self {
        Self { elements: vec![T::default(); len] }
    }

    /// A copy of `elements`, at the end or at the start.
    pub fn copy_of(elements: &[T], at_end: bool) -> Self {
        let mut buffer = Self::new(elements.len(), at_end);
        buffer.copy_from_slice(elements);
        buffer
    }
}

impl<T> Deref for GuardedBuffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        #[cfg(unix)]
        // SAFETY: `new` put `len` initialised elements at `start`, within the mapping that `self` owns.
        return unsafe { std::slice::from_raw_parts(self.start, self.len) };
        #[cfg(not(unix))]
        &self.elements
    }
}

impl<T> DerefMut for GuardedBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        #[cfg(unix)]
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        return unsafe { std::slice::from_raw_parts_mut(self.start, self.len) };
        #[cfg(not(unix))]
        &mut self.elements
    }
}

#[cfg(unix)]
mod unix {
    use std::ptr;

    /// Accessible pages between two inaccessible pages.
    pub struct Mapping {
        base: *mut u8,
        page: usize,
        inner: usize,
    }

    impl Mapping {
        /// At least `bytes` usable bytes.
        pub fn new(bytes: usize) -> Self {
            // SAFETY: no memory is passed.
            let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a page size");
            let inner = bytes.div_ceil(page).max(1) * page;
            // SAFETY: a new mapping wherever the kernel likes touches no memory in use.
            let base = unsafe {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
                libc::mmap(ptr::null_mut(), inner + 2 * page, libc::PROT_NONE, flags, -1, 0)
            };
            assert!(base != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
            let base = base.cast::<u8>();
            // SAFETY: these pages are within the mapping made above.
            let status =
                unsafe { libc::mprotect(base.add(page).cast(), inner, libc::PROT_READ | libc::PROT_WRITE) };
            assert!(status == 0, "mprotect: {}", std::io::Error::last_os_error());
            Self { base, page, inner }
        }

        /// The first usable byte.
        pub fn first(&self) -> *mut u8 {
            // SAFETY: the mapping is longer than a page.
            unsafe { self.base.add(self.page) }
        }

        /// Usable bytes.
        pub fn bytes(&self) -> usize {
            self.inner
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: `new` mapped exactly this, and the buffer that owns it is gone.
            let status = unsafe { libc::munmap(self.base.cast(), self.inner + 2 * self.page) };
            assert!(status == 0, "munmap: {}", std::io::Error::last_os_error());
        }
    }
}
