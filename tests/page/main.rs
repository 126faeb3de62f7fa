//! The page of the token-server in a real browser, headless Chromium: what it shows, what can be done with it, and what cannot be
//! done to it. Whatever a test is about, a message of the browser about an error, a violation of the page's policy (CSP) and a
//! request to another origin fail it.
//!
//! `make test-page` installs the browser and runs this; pictures of what was seen are in `target/page/` afterwards.

mod browser;
mod desk;
mod hostile;
mod keyboard;
mod live;
mod origins;
mod pipe;
mod revoking;
mod roles;
mod socket;
mod tab;
mod tour;
