//! What the suites stand on: real processes, keys, tokens, a backend that remembers, a client that can misbehave.
//!
//! [`setup::Setup`] starts an [`edge::Edge`], the whole of it: HAProxy with a shipped configuration, agents, perhaps a
//! token-server, and the backend. Everything lives in a temporary folder and dies with its owner; nothing waits by sleeping for a guess.

pub mod agent;
pub mod applications;
pub mod authority;
pub mod backend;
pub mod chart;
pub mod chromium;
pub mod dashboard;
pub mod decisions;
pub mod demo;
pub mod descriptors;
pub mod documents;
pub mod edge;
pub mod gateway;
pub mod haproxy;
pub mod http;
pub mod http2;
pub mod identity;
pub mod installed;
pub mod interop;
pub mod kept_verdicts;
pub mod key_server;
pub mod keys;
pub mod load;
pub mod load_balancer;
pub mod manifests;
pub mod ms_users;
pub mod name_server;
pub mod port;
pub mod process;
pub mod proof;
pub mod provider;
pub mod proxy;
pub mod reference;
pub mod scan;
pub mod scripted_agent;
pub mod setup;
pub mod site;
pub mod socket;
pub mod spop;
pub mod steady;
pub mod stores;
pub mod tls;
pub mod tls_client;
pub mod tls_listener;
pub mod token;
pub mod token_server;
pub mod trail;
pub mod transmitter;
pub mod under_load;
pub mod wait;
pub mod wire;
