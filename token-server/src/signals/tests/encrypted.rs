//! Encrypted logout tokens.

use super::*;
use integration_tests::token::{encrypted, encrypted_as};

#[tokio::test]
async fn an_encrypted_logout_token_is_opened_and_believed_for_its_signature_alone() {
    let server = server("", &[]).await;
    let header = json!({ "alg": "dir", "enc": "A256CBC-HS512", "kid": "jwe", "cty": "JWT" });
    let nested = encrypted_as(&JWE_SECRET, &header, &logout(json!({})));
    server.accepts(&nested).await;
    assert!(server.refuses(json!({ "iss": IDP, "sub": "alice", "iat": NOW - 60 })).await);
    let forged = signed_by(key("RS256"), Some("logout+jwt"), json!({ "sub": "bob" }));
    for (what, token) in [
        (
            "claims under the secret, without a signature",
            encrypted(&JWE_SECRET, "jwe", &claims(json!({ "sub": "bob" })).to_string()),
        ),
        ("another key's signature inside", encrypted_as(&JWE_SECRET, &header, &forged)),
        ("another secret", encrypted_as(&[8; 64], &header, &logout(json!({ "sub": "bob" })))),
    ] {
        assert_eq!(server.send(&token).await.status, StatusCode::BAD_REQUEST, "{what}");
    }
    assert!(server.rules("bob").await.is_empty());
}
