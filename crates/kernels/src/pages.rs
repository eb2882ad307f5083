//! Releases memory into which the file of the program is mapped.

/// Releases the memory of `bytes` if it is a private, read-only mapping of a file, such as the file of the program. The
/// system reads the bytes from the file again when they are used. Other memory is not released.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the advice is a system call on an address")]
pub fn release_file_pages(bytes: &[u8]) {
    let range = bytes.as_ptr_range();
    // Only whole pages can be released. `LARGEST_PAGE` is a multiple of every page size.
    let (start, end) =
        ((range.start as usize).next_multiple_of(LARGEST_PAGE), range.end as usize & !(LARGEST_PAGE - 1));
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    if start < end && maps.lines().any(|line| is_unchanged_file(line, start, end)) {
        // SAFETY: the pages are a private, read-only mapping of a file. The loader writes only addresses, which `[u8]`
        // does not contain, so the pages still equal the file, from which the system reads them again.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
    }
}

/// Does nothing, because this is implemented only for Linux.
#[cfg(not(target_os = "linux"))]
pub fn release_file_pages(_: &[u8]) {}

#[cfg(target_os = "linux")]
const LARGEST_PAGE: usize = 64 * 1024;

/// Whether a line of `/proc/self/maps` is a private, read-only mapping of a file that holds `start..end`.
#[cfg(target_os = "linux")]
fn is_unchanged_file(line: &str, start: usize, end: usize) -> bool {
    let mut words = line.split_ascii_whitespace();
    let Some((first, last)) = words.next().and_then(|range| range.split_once('-')) else { return false };
    let address = |hex| usize::from_str_radix(hex, 16);
    let (Ok(first), Ok(last)) = (address(first), address(last)) else { return false };
    let rights = words.next().unwrap_or_default();
    let inode = words.nth(2).unwrap_or_default();
    first <= start && end <= last && rights.starts_with("r-") && rights.ends_with('p') && inode != "0"
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    static IN_FILE: [u8; 4 * LARGEST_PAGE] = [7; 4 * LARGEST_PAGE];

    #[test]
    fn released_bytes_keep_their_values() {
        let on_heap = vec![7_u8; 4 * LARGEST_PAGE];
        for bytes in [&IN_FILE[..], &on_heap] {
            release_file_pages(bytes);
            assert!(bytes.iter().all(|&byte| byte == 7));
        }
    }

    #[test]
    fn only_private_read_only_mappings_are_released() {
        let file = "1000-5000 r--p 00000000 fd:00 42 /usr/bin/program";
        assert!(is_unchanged_file(file, 0x2000, 0x5000));
        assert!(!is_unchanged_file(file, 0x2000, 0x6000));
        for other in [
            "1000-5000 rw-p 00000000 fd:00 42 /usr/bin/program",
            "1000-5000 r--s 00000000 fd:00 42 /usr/bin/program",
            "1000-5000 r--p 00000000 00:00 0",
            "",
        ] {
            assert!(!is_unchanged_file(other, 0x2000, 0x3000), "{other}");
        }
    }
}
