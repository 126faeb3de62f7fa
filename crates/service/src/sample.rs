//! How many of the log lines of one kind are written, where others decide how many there would be.
//!
//! A client can cause as many as it likes. A sample shows the first few of each second, and the next line says how many were
//! left out, so that no attack fills a disk.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of each second in a sample.
pub const SAMPLE_PER_SECOND: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);

/// Which lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogLines {
    /// None.
    Off,
    /// At most [`SAMPLE_PER_SECOND`].
    #[default]
    Sample,
    /// All.
    All,
}

impl LogLines {
    /// What a setting may say.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("sample", Self::Sample), ("all", Self::All)];
}

/// A line that is to be written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How many were left out since the last one; absent if none was.
    pub left_out: Option<u64>,
}

/// Chooses the lines of one kind that are written.
#[derive(Debug)]
pub struct Sampler {
    which: LogLines,
    sample: Mutex<Sample>,
}

#[derive(Debug, Default)]
struct Sample {
    began: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Sample {
    fn take(&mut self, now: Instant) -> Option<Due> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= SECOND) {
            (self.began, self.written) = (Some(now), 0);
        }
        if self.written >= SAMPLE_PER_SECOND {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.written = self.written.saturating_add(1);
        let left_out = std::mem::take(&mut self.left_out);
        Some(Due { left_out: (left_out > 0).then_some(left_out) })
    }
}

impl Sampler {
    /// Chooses these.
    pub fn new(which: LogLines) -> Self {
        Self { which, sample: Mutex::default() }
    }

    /// Whether any line is written.
    pub fn is_on(&self) -> bool {
        self.which != LogLines::Off
    }

    /// Whether a line of what happened `now` is written.
    pub fn take(&self, now: Instant) -> Option<Due> {
        match self.which {
            LogLines::Off => None,
            LogLines::All => Some(Due { left_out: None }),
            // No number here is wrong after a panic elsewhere.
            LogLines::Sample => self.sample.lock().unwrap_or_else(PoisonError::into_inner).take(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_shows_so_many_of_each_second_and_tells_how_many_it_left_out() {
        let start = Instant::now();
        let written = |which| {
            let sampler = Sampler::new(which);
            let moments = (0..2_500_u64).map(|millisecond| start + Duration::from_millis(millisecond));
            moments.filter_map(|now| sampler.take(now)).map(|due| due.left_out).collect::<Vec<_>>()
        };
        let second = |left_out| [left_out].into_iter().chain([None; 9]);
        let sample: Vec<_> = second(None).chain(second(Some(990))).chain(second(Some(990))).collect();
        for (which, is_on, expected) in [
            (LogLines::Off, false, Vec::new()),
            (LogLines::Sample, true, sample),
            (LogLines::All, true, vec![None; 2_500]),
        ] {
            assert_eq!(Sampler::new(which).is_on(), is_on, "{which:?}");
            assert_eq!(written(which), expected, "{which:?}");
        }
    }
}
