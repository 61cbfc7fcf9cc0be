//! Why the origin's certificate was refused.

use super::{
    Again, Cause, ErrorType, Fault, Key, Party, Phase, Row, Scene, Side, Status, rows, witness,
};
use crate::attribution::evidence::{CertificateFault, Failure};
use crate::attribution::exchange::Exchange;

/// Whether any of these rows can be the verdict.
pub(super) fn concern(scene: &Scene<'_>) -> bool {
    matches!(scene.at(Side::Origin), Some((_, Fault::Certificate(_))))
}

rows! {
    TLS_CERTIFICATE_EXPIRED = Row {
        id: "tls_certificate_expired",
        meaning: "The origin's certificate is out of date.",
        says: "The certificate of {next_hop} ran out[ on {not_after}].",
        remedy: "Renew the origin's certificate, and have the origin load it; then find out why that did not happen by itself.",
        details: "certificate expired",
        proof: &[Key::NotAfter],
        elsewhere: &[("nginx", "upstream SSL certificate verify error: (10:certificate has expired)"), ("Cloudflare", "526"), ("Go (Caddy, Traefik)", "x509: certificate has expired or is not yet valid")],
        when: |s| is(s, CertificateFault::Expired),
        witness: || shown(refused(CertificateFault::Expired).with(Key::NotAfter, "2026-11-01T00:00:00Z")),
        ..BASE
    };
    TLS_CERTIFICATE_NOT_YET_VALID = Row {
        id: "tls_certificate_not_yet_valid",
        meaning: "The origin's certificate becomes valid only later, by this machine's clock.",
        says: "The certificate of {next_hop} is not valid yet[; it will be from {not_before}].",
        remedy: "Check this machine's clock first (`timedatectl`); if it is right, use a certificate that is valid now.",
        details: "certificate not yet valid",
        proof: &[Key::NotBefore],
        elsewhere: &[("nginx", "upstream SSL certificate verify error: (9:certificate is not yet valid)"), ("Cloudflare", "526"), ("Go (Caddy, Traefik)", "x509: certificate has expired or is not yet valid")],
        when: |s| is(s, CertificateFault::NotYetValid),
        witness: || shown(refused(CertificateFault::NotYetValid).with(Key::NotBefore, "2027-01-01T00:00:00Z")),
        ..BASE
    };
    TLS_CERTIFICATE_WRONG_NAME = Row {
        id: "tls_certificate_wrong_name",
        meaning: "The origin's certificate is for other names than the one that this proxy asked for.",
        says: "The certificate of {next_hop} is not for `{sni}`[ but for {names}].",
        remedy: "Set `tls.sni` of upstream `{upstream}` to a name that the certificate is for, or have one issued for the name wanted.",
        details: "certificate is for other names",
        proof: &[Key::Names, Key::Sni],
        elsewhere: &[("nginx", "upstream SSL certificate does not match"), ("Cloudflare", "526"), ("Go (Caddy, Traefik)", "x509: certificate is valid for …, not …")],
        when: |s| is(s, CertificateFault::WrongName),
        witness: || shown(
            refused(CertificateFault::WrongName).with(Key::Names, vec!["www.example.net".to_owned()]).with(Key::Sni, "api.internal"),
        ),
        ..BASE
    };
    TLS_CERTIFICATE_UNTRUSTED = Row {
        id: "tls_certificate_untrusted",
        meaning: "The origin's certificate was issued by somebody whom this proxy does not trust, or a certificate between the two was not sent along.",
        says: "This proxy does not trust who issued the certificate of {next_hop}[: {issuer}].",
        remedy: "Set `tls.ca` of upstream `{upstream}` to the issuer's certificate, or have the origin send the certificates in between along with its own.",
        details: "certificate issuer not trusted",
        proof: &[Key::Issuer],
        elsewhere: &[("nginx", "upstream SSL certificate verify error: (20:unable to get local issuer certificate)"), ("Cloudflare", "526"), ("Go (Caddy, Traefik)", "x509: certificate signed by unknown authority")],
        when: |s| is(s, CertificateFault::Untrusted),
        witness: || shown(refused(CertificateFault::Untrusted).with(Key::Issuer, "CN=Corporate CA")),
        ..BASE
    };
    TLS_CERTIFICATE_SELF_SIGNED = Row {
        id: "tls_certificate_self_signed",
        meaning: "The origin's certificate vouches for itself, and this proxy was not told to trust it.",
        says: "The certificate of {next_hop} vouches for itself[: {subject}].",
        remedy: "Set `tls.ca` of upstream `{upstream}` to that very certificate if it is meant to be trusted, or have one issued by somebody who is.",
        details: "certificate is self-signed",
        proof: &[Key::Subject],
        elsewhere: &[("nginx", "upstream SSL certificate verify error: (18:self signed certificate)"), ("Cloudflare", "526"), ("Go (Caddy, Traefik)", "x509: certificate signed by unknown authority")],
        when: |s| is(s, CertificateFault::SelfSigned),
        witness: || shown(refused(CertificateFault::SelfSigned).with(Key::Subject, "CN=localhost")),
        ..BASE
    };
    TLS_CERTIFICATE_REVOKED = Row {
        id: "tls_certificate_revoked",
        meaning: "Who issued the origin's certificate has taken it back.",
        says: "The certificate of {next_hop} was taken back by who issued it[: {issuer}].",
        remedy: "Have a new certificate issued with a new key; the old key may be in wrong hands.",
        details: "certificate revoked",
        proof: &[Key::Subject],
        elsewhere: &[("nginx", "upstream SSL certificate verify error: (23:certificate revoked)"), ("Cloudflare", "526")],
        when: |s| is(s, CertificateFault::Revoked),
        witness: || shown(refused(CertificateFault::Revoked).with(Key::Subject, "CN=api.internal")),
        ..BASE
    };
    TLS_CERTIFICATE_INVALID = Row {
        id: "tls_certificate_invalid",
        meaning: "The origin's certificate is broken, or not meant for a server.",
        says: "The certificate of {next_hop} is not valid[: {rule}].",
        remedy: "Have a new certificate issued; `openssl s_client -connect {next_hop} -showcerts` shows what is sent now.",
        details: "certificate not valid",
        proof: &[Key::Rule],
        elsewhere: &[("nginx", "upstream SSL certificate verify error"), ("Cloudflare", "526"), ("Go (Caddy, Traefik)", "tls: failed to parse certificate from server")],
        when: |s| is(s, CertificateFault::Invalid),
        witness: || shown(refused(CertificateFault::Invalid).with(Key::Rule, "bad signature")),
        ..BASE
    };
}

/// What the rows of this file share.
const BASE: Row = Row {
    id: "",
    party: Party::Origin,
    phase: Phase::Tls,
    error: Some(ErrorType::TlsCertificateError),
    standard: Status::Code(502),
    cloudflare: Status::Code(526),
    again: Again::Never,
    meaning: "",
    says: "",
    remedy: "",
    details: "",
    proof: &[],
    elsewhere: &[],
    when: super::by_denial,
    witness: witness::exchange,
};

fn is(scene: &Scene<'_>, why: CertificateFault) -> bool {
    matches!(scene.at(Side::Origin), Some((_, Fault::Certificate(seen))) if seen == why)
}

const fn refused(why: CertificateFault) -> Failure {
    witness::origin(Phase::Tls, Fault::Certificate(why))
}

fn shown(failure: Failure) -> Exchange {
    witness::attempted(failure)
}
