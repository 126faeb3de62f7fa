//! What a process has cost so far, as Linux tells it.

use std::fs;
use std::io;
use std::time::Duration;

/// Processor time of all threads of a process, from the scheduler's nanoseconds.
///
/// A thread that has ended is not counted any more: use it where threads live as long as the process.
///
/// # Errors
///
/// The process is gone.
pub fn processor_time(pid: u32) -> io::Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // One that ends at this moment has no file any more.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let first = text.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok());
        nanos += first.ok_or_else(|| io::Error::other(format!("not a schedstat: {text}")))?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// How long the machine's processors have been at work, and how long they have been there at all.
///
/// # Errors
///
/// The system does not tell.
pub fn processors() -> io::Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let bad = || io::Error::other("not a /proc/stat");
    let ticks: Vec<u64> = text
        .lines()
        .find_map(|line| line.strip_prefix("cpu "))
        .ok_or_else(bad)?
        .split_whitespace()
        .map_while(|ticks| ticks.parse().ok())
        // user, nice, system, idle, iowait, irq, softirq, steal; guests are part of user (proc_stat(5)).
        .take(8)
        .collect();
    let &[_, _, _, idle, waiting, ..] = ticks.as_slice() else { return Err(bad()) };
    let all: u64 = ticks.iter().sum();
    Ok((all - idle - waiting, all))
}

/// Resident memory of a process, bytes.
///
/// # Errors
///
/// The process is gone.
pub fn resident(pid: u32) -> io::Result<u64> {
    memory(pid, "VmRSS:")
}

/// All that a process has mapped, bytes; what `RLIMIT_AS` limits.
///
/// # Errors
///
/// The process is gone.
pub fn address_space(pid: u32) -> io::Result<u64> {
    memory(pid, "VmSize:")
}

/// Descriptors that a process has open.
///
/// # Errors
///
/// The process is gone.
pub fn descriptors(pid: u32) -> io::Result<u64> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64)
}

fn memory(pid: u32, field: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other(format!("no {field}")))
}
