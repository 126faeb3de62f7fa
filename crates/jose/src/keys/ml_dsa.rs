//! The parameter sets of ML-DSA (FIPS 204), as JOSE uses them: pure, with an empty context (RFC 9964 section 4).
//!
//! A key belongs to one set, which its `alg` or its object identifier names, and the set gives every length.

use std::fmt;

use aws_lc_rs::signature::{ML_DSA_44, ML_DSA_65, ML_DSA_87, PqdsaVerificationAlgorithm};
use x509_parser::der_parser::{Oid, oid};

use crate::Algorithm;

/// A parameter set of FIPS 204 section 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MlDsa {
    /// ML-DSA-44.
    Set44,
    /// ML-DSA-65.
    Set65,
    /// ML-DSA-87.
    Set87,
}

impl MlDsa {
    /// Every set.
    pub const ALL: [Self; 3] = [Self::Set44, Self::Set65, Self::Set87];

    /// The one algorithm that belongs to the set.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Set44 => Algorithm::MlDsa44,
            Self::Set65 => Algorithm::MlDsa65,
            Self::Set87 => Algorithm::MlDsa87,
        }
    }

    /// Bytes of a public key (FIPS 204 section 4, table 2).
    pub const fn public_key_len(self) -> usize {
        match self {
            Self::Set44 => 1312,
            Self::Set65 => 1952,
            Self::Set87 => 2592,
        }
    }

    /// Bytes of a signature (FIPS 204 section 4, table 2).
    pub const fn signature_len(self) -> usize {
        match self {
            Self::Set44 => 2420,
            Self::Set65 => 3309,
            Self::Set87 => 4627,
        }
    }

    /// The set that an `alg` names.
    pub(super) fn of_algorithm(algorithm: Algorithm) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.algorithm() == algorithm)
    }

    /// The set that an object identifier names (RFC 9881 section 2). Those of HashML-DSA are others.
    pub(super) fn of_identifier(identifier: &Oid<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.identifier() == *identifier)
    }

    pub(super) const fn verifier(self) -> &'static PqdsaVerificationAlgorithm {
        match self {
            Self::Set44 => &ML_DSA_44,
            Self::Set65 => &ML_DSA_65,
            Self::Set87 => &ML_DSA_87,
        }
    }

    fn identifier(self) -> Oid<'static> {
        match self {
            Self::Set44 => oid!(2.16.840.1.101.3.4.3.17),
            Self::Set65 => oid!(2.16.840.1.101.3.4.3.18),
            Self::Set87 => oid!(2.16.840.1.101.3.4.3.19),
        }
    }
}

impl fmt::Display for MlDsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.algorithm().fmt(f)
    }
}
