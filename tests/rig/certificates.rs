//! Certificates, made for one test: good ones, and each kind of bad one.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CrlDistributionPoint, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SanType, SerialNumber,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

/// Who signs certificates, with the files that a configuration names.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Those above it but for the root, its own first: what a server has to send.
    between: Vec<CertificateDer<'static>>,
    folder: TempDir,
}

/// A certificate with its key and with those that a server sends after it.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    serial: SerialNumber,
    pem: String,
    folder: TempDir,
}

/// What a certificate says of itself.
#[derive(Clone)]
pub(crate) struct Says {
    names: Vec<String>,
    /// The years at whose beginnings it becomes and ceases to be valid.
    years: (i32, i32),
    purpose: ExtendedKeyUsagePurpose,
    /// Its subject, where that is not the first of its names.
    subject: Option<String>,
    /// Whether it may sign others.
    signs: bool,
    /// What stands where nobody looks, and whether everybody must.
    aside: Option<(String, bool)>,
}

/// Of all certificates that say nothing of time. Names are addresses where they look like some.
const YEARS: (i32, i32) = (2020, 2090);

impl Says {
    /// A server's, valid today, with these names: DNS names and IP addresses.
    pub(crate) fn names(names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            names,
            years: YEARS,
            purpose: ExtendedKeyUsagePurpose::ServerAuth,
            subject: None,
            signs: false,
            aside: None,
        }
    }

    /// That it ceased to be valid when 2021 began.
    pub(crate) fn expired(self) -> Self {
        Self { years: (2020, 2021), ..self }
    }

    /// That it becomes valid when 2089 begins.
    pub(crate) fn not_yet_valid(self) -> Self {
        Self { years: (2089, 2090), ..self }
    }

    /// That it is for clients, and thus for no server.
    pub(crate) fn of_a_client(self) -> Self {
        Self { purpose: ExtendedKeyUsagePurpose::ClientAuth, ..self }
    }

    /// That it may sign others, as most that vouch for themselves say.
    pub(crate) fn of_an_authority(self) -> Self {
        Self { signs: true, ..self }
    }

    /// This as its subject, whatever that is.
    pub(crate) fn of(self, subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..self }
    }

    /// This beside all that a verifier looks at: as a mail address, as places on the web, and in an
    /// extension that nobody knows.
    pub(crate) fn aside(self, text: &str) -> Self {
        Self { aside: Some((text.to_owned(), false)), ..self }
    }

    /// The same, with an extension that nobody may pass over.
    pub(crate) fn demanding(self, text: &str) -> Self {
        Self { aside: Some((text.to_owned(), true)), ..self }
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(self.names.clone()).expect("good names");
        if let Some((text, critical)) = &self.aside {
            let ascii = |text: String| text.try_into().expect("ASCII");
            params.subject_alt_names.push(SanType::Rfc822Name(ascii(format!("{text}@app.test"))));
            let page = format!("http://app.test/{text}");
            params.subject_alt_names.push(SanType::URI(ascii(page.clone())));
            params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![page] }];
            // Of the arc for examples (RFC 5612).
            let oid = [1, 3, 6, 1, 4, 1, 32473, 1];
            let mut extension = CustomExtension::from_oid_content(&oid, text.clone().into_bytes());
            extension.set_criticality(*critical);
            params.custom_extensions.push(extension);
        }
        let first = self.names.first().map_or("nameless", String::as_str);
        let subject = self.subject.as_deref().unwrap_or(first);
        params.distinguished_name.push(DnType::CommonName, subject);
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        params.extended_key_usages = vec![self.purpose.clone()];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if self.signs {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        }
        params
    }
}

impl Authority {
    /// A root with this common name.
    pub(crate) fn new(name: &str) -> Self {
        let issuer = CertifiedIssuer::self_signed(authority(name), key()).expect("it can sign");
        Self { issuer, between: Vec::new(), folder: folder() }
    }

    /// Another one whose certificate this one signed.
    pub(crate) fn beneath(&self, name: &str) -> Self {
        let issuer = CertifiedIssuer::signed_by(authority(name), key(), &self.issuer);
        let issuer = issuer.expect("it can sign");
        let between = std::iter::once(issuer.der().clone()).chain(self.between.clone()).collect();
        Self { issuer, between, folder: folder() }
    }

    /// A certificate that this authority signed.
    pub(crate) fn signs(&self, says: &Says) -> Identity {
        let key = key();
        let serial = serial(&key);
        let mut params = says.params();
        params.serial_number = Some(serial.clone());
        params.use_authority_key_identifier_extension = true;
        let own = params.signed_by(&key, &self.issuer).expect("it can sign");
        let chain = std::iter::once(own.der().clone()).chain(self.between.clone()).collect();
        Identity { chain, key, serial, pem: own.pem(), folder: folder() }
    }

    /// Its own certificate.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// The file with its certificate, as `tls.ca` takes it.
    pub(crate) fn file(&self) -> PathBuf {
        self.written("ca.crt", &self.issuer.pem())
    }

    /// The file of what it has revoked (RFC 5280 section 5).
    pub(crate) fn revokes(&self, revoked: &[&Identity]) -> PathBuf {
        let entry = |identity: &&Identity| RevokedCertParams {
            serial_number: identity.serial.clone(),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 2),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).expect("it may sign such lists");
        self.written("revoked.crl", &list.pem().expect("it can be written"))
    }

    fn written(&self, name: &str, text: &str) -> PathBuf {
        written(&self.folder, name, text)
    }
}

impl Identity {
    /// A certificate that is signed by nobody but itself.
    pub(crate) fn of_its_own(says: &Says) -> Self {
        let key = key();
        let serial = serial(&key);
        let mut params = says.params();
        params.serial_number = Some(serial.clone());
        let own = params.self_signed(&key).expect("it can sign");
        Self { chain: vec![own.der().clone()], key, serial, pem: own.pem(), folder: folder() }
    }

    /// The same without those that signed it, as a server has it whose operator forgot them.
    pub(crate) fn alone(mut self) -> Self {
        self.chain.truncate(1);
        self
    }

    /// Its certificate and those that a server sends after it.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    /// Its key.
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// The file with its own certificate alone.
    pub(crate) fn file(&self) -> PathBuf {
        written(&self.folder, "own.crt", &self.pem)
    }

    /// The file with its key, which nobody else may read.
    pub(crate) fn key_file(&self) -> PathBuf {
        let path = written(&self.folder, "own.key", &self.key.serialize_pem());
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
        path
    }

    /// Puts another one's certificate and key into its files, as a renewal does.
    pub(crate) fn becomes(&self, other: &Self) {
        written(&self.folder, "own.crt", &other.pem);
        written(&self.folder, "own.key", &other.key.serialize_pem());
    }

    /// Puts this into the file with its key.
    pub(crate) fn spoil(&self, key: &str) {
        written(&self.folder, "own.key", key);
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(YEARS.0, 1, 1);
    params.not_after = date_time_ymd(YEARS.1, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the machine has randomness")
}

/// A number of its own for each key, as a revocation names certificates by number.
fn serial(key: &KeyPair) -> SerialNumber {
    // Positive, as RFC 5280 section 4.1.2.2 demands, and not zero.
    let mut bytes = key.public_key_raw()[1..17].to_vec();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn written(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("the folder is ours");
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_what_they_are_called_after() {
        let root = Authority::new("root of all");
        let own = root.signs(&Says::names(&["app.test", "::1"]));
        let read = |path: PathBuf| {
            let (_, pem) = x509_parser::pem::parse_x509_pem(&std::fs::read(path).expect("a file"))
                .expect("PEM");
            pem
        };
        let (ca, leaf) = (read(root.file()), read(own.file()));
        let (ca, leaf) = (ca.parse_x509().expect("X.509"), leaf.parse_x509().expect("X.509"));
        assert_eq!(ca.subject().to_string(), "CN=root of all");
        assert_eq!(leaf.issuer(), ca.subject());
        assert!(leaf.validity().is_valid() && !leaf.is_ca() && ca.is_ca());
        assert_eq!(read(own.key_file()).label, "PRIVATE KEY");
        assert_eq!(read(root.revokes(&[&own])).label, "X509 CRL");
    }
}
