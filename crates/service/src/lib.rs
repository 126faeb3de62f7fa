//! What `jwt-agent` and `token-server` share around their work: settings, logs, signals, readiness, and the health and
//! metrics routes.
//!
//! It knows no token. Only `main` calls [`settings::Settings::load`] with the process environment; everything else
//! gets values.

pub mod admin;
pub mod background;
pub mod description;
pub mod exit;
pub mod flights;
pub mod kubernetes;
pub mod listening;
pub mod pem;
pub mod places;
pub mod probe;
pub mod process_metrics;
pub mod proxy;
pub mod rate;
pub mod readiness;
pub mod sample;
pub mod secret;
pub mod secret_file;
pub mod serve;
pub mod settings;
pub mod shown;
pub mod shutdown;
pub mod socket;
pub mod supervisor;
pub mod telemetry;
pub mod watch;
