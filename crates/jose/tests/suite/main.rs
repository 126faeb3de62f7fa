//! Tests of the public interface, with keys and tokens as strangers send them.

// Marked, so that what tests may do, helpers of tests may do too.
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod introspection;
#[cfg(test)]
mod jwe;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod load_balancer;
#[cfg(test)]
mod misuse;
#[cfg(test)]
mod ml_dsa;
#[cfg(test)]
mod pem_files;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rfc7520;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod step_up;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tolerance;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod verdicts;
