//! Names of headers and query parameters whose values are nobody's business.

/// Parts of such names, without hyphens and underscores.
const PARTS: [&str; 18] = [
    "accesskey",
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "csrf",
    "functionskey",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "sessionid",
    "signature",
    "subscriptionkey",
    "token",
    "xsrf",
];

/// Such names as a whole, which as parts would be found in innocent ones.
const WHOLES: [&str; 4] = ["auth", "pwd", "sig", "xauth"];

/// Whether the value that has this name may be a secret, such as `authorization`, `x-api-key` or `access_token`.
pub(crate) fn is_sensitive(name: &str) -> bool {
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_' | '.'));
    let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    WHOLES.contains(&&*name) || PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in ["authorization", "Proxy-Authorization", "set-cookie", "X-API-Key", "access_token", "x-auth-token"]
        {
            assert!(is_sensitive(name), "{name}");
        }
        for name in ["clientSecret", "DB.PASSWORD", "x-amz-signature", "sig", "x-csrf", "session_id", "token-bin"] {
            assert!(is_sensitive(name), "{name}");
        }
        for name in ["x-tenant", "idempotency-key", "design", "author", "x-request-id", "user-agent"] {
            assert!(!is_sensitive(name), "{name}");
        }
    }
}
