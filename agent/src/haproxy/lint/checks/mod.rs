//! What is asked of a configuration, one kind of question in each file.

mod challenge;
mod decision;
mod edge;
mod headers;
mod policy;
mod proofs;
mod question;
mod reach;
mod samples;
mod streams;
mod variables;

use super::checked::Checked;
use super::finding::{Id, Place};

impl Checked<'_> {
    /// Asks everything.
    pub fn all(&mut self) {
        if self.guarded.is_empty() {
            // A filter that cannot be followed is told by itself.
            if self.findings.is_empty() {
                self.find(
                    Place { file: 0, line: 1 },
                    Id::NoFilter,
                    "No frontend and no backend asks jwt-agent: every request passes without a token.",
                    "jwt-agent haproxy-config --backend NAME",
                );
            }
            return;
        }
        let guarded = std::mem::take(&mut self.guarded);
        let protecting = self.decisions(&guarded);
        for place in &guarded {
            self.headers(place);
            self.policies(place);
            self.edge(place);
            self.streams(place);
            self.filters(place);
        }
        self.reach(&guarded, &protecting);
        self.questions(&guarded);
        self.proofs(&guarded);
        self.variables(&guarded);
        self.challenges(&guarded);
        self.guarded = guarded;
    }
}
