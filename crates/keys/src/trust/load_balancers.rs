//! AWS load balancers as issuers: who may have signed, and where the key of one `kid` is.

use service::settings::Settings;

use super::issuer_keys::IssuerKeys;

/// What stands for a token's `kid` in the URL of its key.
pub const KID: &str = "{kid}";
const SIGNERS: &str = "alb_signers";
const KEYS_URL: &str = "keys_url";

/// Reads `alb_signers` of one issuer's table, whose keys are these.
pub(super) fn of_table(table: &mut Settings, keys: &IssuerKeys) -> Vec<String> {
    let by_kid = keys.urls.iter().any(|url| holds_kid(url));
    let Some(signers) = table.list(SIGNERS) else {
        if by_kid {
            let what = "is required, since {kid} in keys_url is for tokens of AWS load balancers, which name in their header \
                        who signed: list yours, such as \
                        alb_signers = [\"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/50dc6c495c0c9188\"]";
            table.fault(SIGNERS, what);
        }
        return Vec::new();
    };
    if !signers.iter().all(|signer| signer.starts_with("arn:")) {
        let what = "expected the whole ARNs of load balancers, which begin with arn:";
        table.fault(SIGNERS, what);
    }
    if keys.urls.is_empty() || !keys.urls.iter().all(|url| is_place(url)) {
        let what = "expected {kid} as its last part beside alb_signers, such as \
                    https://public-keys.auth.elb.eu-west-1.amazonaws.com/{kid} with the region of the load balancer";
        table.fault(KEYS_URL, what);
    }
    if !keys.discovery.is_empty() {
        let what = "leave discovery out: it finds the keys of the identity provider, and the load balancer signs with its own";
        table.fault(SIGNERS, what);
    }
    signers
}

/// A fault where flat settings have the place of a key in them: they cannot say who may have signed.
pub(super) fn judge_flat(settings: &mut Settings, keys: &IssuerKeys) {
    if keys.urls.iter().any(|url| holds_kid(url)) {
        let what = "{kid} is for the keys of AWS load balancers: write an [[issuers]] table with issuer, alb_signers and keys_url";
        settings.fault(keys.fetch.names.keys_url, what);
    }
}

/// Also as a URL that was read and written again has it.
fn holds_kid(url: &str) -> bool {
    url.contains(KID) || url.to_ascii_lowercase().contains("%7bkid%7d")
}

fn is_place(url: &str) -> bool {
    let place = url.strip_suffix(KID).and_then(|before| before.strip_suffix('/'));
    let rest =
        place.and_then(|place| place.strip_prefix("https://").or_else(|| place.strip_prefix("http://")));
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['{', '}', '?', '#', '%'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kid_is_the_last_part_of_the_path_and_nothing_else() {
        for (url, expected) in [
            ("https://public-keys.auth.elb.eu-west-1.amazonaws.com/{kid}", true),
            ("https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1/{kid}", true),
            ("http://127.0.0.1:8080/{kid}", true),
            ("https://{kid}", false),
            ("https:///{kid}", false),
            ("https://{kid}/x", false),
            ("https://{kid}/{kid}", false),
            ("https://keys.example/{kid}.pem", false),
            ("https://keys.example/x{kid}", false),
            ("https://keys.example/?k=/{kid}", false),
            ("https://keys.example/#/{kid}", false),
            ("https://keys.example/%7Bkid%7D", false),
            ("ftp://keys.example/{kid}", false),
            ("keys.example/{kid}", false),
            ("{kid}", false),
            ("https://keys.example/jwks", false),
        ] {
            assert_eq!(is_place(url), expected, "{url}");
        }
    }
}
