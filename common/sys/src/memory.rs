//! The memory that a process has taken from the system and does not use.
//!
//! The C library keeps what was freed, for each of up to eight arenas a processor, and gives little
//! of it back by itself: a daemon that has carried out one large command would stay as large as that
//! command for years. With another C library than glibc nothing is done here.

/// From now on, threads share two arenas. Call before there are threads.
pub fn share_arenas() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call sets a number of the allocator's; it takes no pointer.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// From now on, what has so many bytes or more is memory of its own, which is given back when it is
/// freed and never lies between small things. The C library begins so and raises the bound, up to
/// 32 MiB, with each large thing that is freed. Not for who often takes large buffers for a moment.
/// Call before there are threads.
pub fn keep_large_apart(bytes: i32) {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call sets a number of the allocator's; it takes no pointer.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, bytes);
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = bytes;
}

/// Gives free memory back to the system. Takes some milliseconds for a hundred megabytes.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call looks for whole free pages of the allocator's own; it takes no pointer.
    unsafe {
        libc::malloc_trim(0);
    }
}
