//! What every process shows of itself, under the names that Prometheus' own clients have: `process_*`, read from `/proc` when
//! it is asked for, and which build it is.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Ticks of a second in `/proc`, on every architecture that Linux has today (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Registers `process_*`, and `<program>_build_info` with the version.
pub fn register(registry: &mut Registry, program: &'static str, version: &'static str) {
    registry.register_collector(Box::new(Process));
    let build = Info::new(vec![("version", version)]);
    registry.sub_registry_with_prefix(program).register("build", "Which build this is", build);
}

#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let stat = read("stat").as_deref().and_then(Stat::parse);
        if let Some(stat) = &stat {
            let counter = ConstCounter::new(stat.cpu_seconds);
            let help = "Processor time of the process, seconds";
            let out = encoder.encode_descriptor("process_cpu_seconds", help, None, counter.metric_type())?;
            counter.encode(out)?;
        }
        let limits = read("limits");
        let start = stat.as_ref().zip(boot_time()).map(|(stat, boot)| boot + stat.started_after_boot);
        let gauges = [
            ("process_resident_memory_bytes", "Memory of the process", bytes_of_status("VmRSS:")),
            ("process_virtual_memory_bytes", "Address space of the process", bytes_of_status("VmSize:")),
            ("process_open_fds", "Open file descriptors", open_descriptors()),
            (
                "process_max_fds",
                "File descriptors that may be open",
                limits.as_deref().and_then(max_descriptors),
            ),
            ("process_threads", "Threads", stat.as_ref().map(|stat| stat.threads)),
            ("process_start_time_seconds", "When the process began, seconds since the epoch", start),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/{file}")).ok()
}

/// What `/proc/self/stat` says (proc_pid_stat(5)).
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    threads: f64,
    started_after_boot: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name of the program may hold anything; what follows the last bracket begins with field 3.
        let fields: Vec<f64> =
            text.rsplit_once(')')?.1.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
        let field = |number: usize| fields.get(number.checked_sub(3)?).copied();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
            threads: field(20)?,
            started_after_boot: field(22)? / TICKS_PER_SECOND,
        })
    }
}

/// When the machine began, as the kernel tells it: the same at each scrape, so that a restart alone changes the start.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn bytes_of_status(name: &str) -> Option<f64> {
    let status = read("status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn open_descriptors() -> Option<f64> {
    // One of them reads the folder.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(open).ok().map(f64::from)
}

fn max_descriptors(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_fields_are_counted_behind_a_name_with_brackets() {
        let behind = (3..=30).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        let expected = Stat { cpu_seconds: 0.29, threads: 20.0, started_after_boot: 0.22 };
        assert_eq!(Stat::parse(&format!("7 (a) b (c) {behind}")), Some(expected));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
        assert_eq!(
            max_descriptors("Max open files            1024                 4096       files\n"),
            Some(1024.0)
        );
    }

    #[test]
    fn a_process_shows_itself() {
        let mut registry = Registry::default();
        register(&mut registry, "program", "1.2.3");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let value = |name: &str| -> f64 {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_else(|| panic!("{name} in {text}"));
            line.trim().parse().unwrap()
        };
        assert!(text.contains("program_build_info{version=\"1.2.3\"} 1"), "{text}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let start = value("process_start_time_seconds ");
        assert!(start > now - 86_400.0 && start < now + 5.0, "{start} at {now}");
        assert!(value("process_resident_memory_bytes ") > 100_000.0);
        assert!(value("process_virtual_memory_bytes ") >= value("process_resident_memory_bytes "));
        assert!(value("process_open_fds ") >= 3.0 && value("process_open_fds ") < value("process_max_fds "));
        assert!(value("process_threads ") >= 1.0);
        assert!(value("process_cpu_seconds_total ") >= 0.0);
    }
}
