//! The configuration as it is written: one struct a section. The JSON Schema is made from these
//! structs, and the checks are made from the schema; nothing else knows which keys there are.

pub mod address;
pub mod health;
pub mod listener;
pub mod log;
pub mod page;
pub mod percent;
pub mod process;
pub mod route;
pub mod spread;
pub mod text;
pub mod upstream;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use whodunit_filters::units::Span;

use crate::sections::{Compression, DiagnosisSettings, Disclose, On, Secret, Settings, Statuses};
use address::Address;
use listener::Listener;
use log::Log;
use page::ErrorPage;
use process::{Account, Shutdown, Takeover};
use route::Route;
use text::Name;
use upstream::Upstream;

/// The whole configuration. Every key has a default but the endpoints of an upstream and the
/// upstream of a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "whodunit configuration")]
pub struct Config {
    /// This node's name in `Proxy-Status`, `Via`, `CDN-Loop` and the log. Default: the host name.
    pub node: Option<Name>,
    /// Where clients connect.
    #[schemars(length(min = 1))]
    pub listeners: Vec<Listener>,
    /// The listener for operators: metrics, health, recent errors.
    pub admin: Admin,
    /// The sections of the filters, beside the others: `timeouts`, `limits`, `loop`, `forwarded`.
    #[serde(flatten, skip_deserializing)]
    #[schemars(skip)]
    pub filters: Settings,
    /// What clients are told about failures.
    pub diagnosis: Diagnosis,
    /// Pages in place of ours for errors that are made here.
    pub error_pages: Vec<ErrorPage>,
    /// How answers are compressed for clients that accept it. Null: they go out as they came.
    pub compression: Option<Compression>,
    /// The log of requests.
    pub log: Log,
    /// How host names are resolved.
    pub resolver: Resolver,
    /// Worker threads. Default: one a core.
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<u32>,
    /// Whom the process runs as, once it has bound its sockets and read its files as the user that
    /// started it. Null: as it was started.
    pub user: Option<Account>,
    /// Its group, instead of the user's own and those that user belongs to.
    pub group: Option<Account>,
    /// How the process ends.
    pub shutdown: Shutdown,
    /// How a new process takes the place of a running one.
    pub takeover: Takeover,
    /// How a changed configuration is taken up.
    pub reload: Reload,
    /// Which requests go where. With none and a single upstream, all go there.
    pub routes: Vec<Route>,
    /// Where requests go, by name.
    #[schemars(extend("propertyNames" = { "$ref": "#/$defs/Name" }))]
    pub upstreams: BTreeMap<String, Upstream>,
}

/// The listener for operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Where it listens. Null: there is none.
    pub address: Option<Address>,
    /// What a caller must show, as `Authorization: Bearer <token>`. An address that is not
    /// loopback is refused without one.
    pub token: Option<Secret>,
}

/// What clients are told about failures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Diagnosis {
    /// Which responses get a `Proxy-Status` member of ours.
    pub on: On,
    /// Who is told everything.
    pub disclosure: Disclose,
    /// Which status stands for which failure.
    pub statuses: Statuses,
    /// What a request shows in `Whodunit-Debug` to be told everything. Null: no request is.
    pub debug_token: Option<Secret>,
    /// Whether an endpoint is looked at in the background after a request there failed, at most once
    /// in 30 s: its name is looked up, a connection made, and `HEAD /` asked where it speaks plain
    /// HTTP. Later verdicts tell what was found.
    pub checks: bool,
}

/// How host names are resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Resolver {
    /// The name servers to ask, as `ip:port`. Empty: those of the system.
    pub servers: Vec<Server>,
    /// How long one question may take.
    pub timeout: Span,
    /// How many times a question is put before it counts as failed.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u32,
}

/// How a changed configuration is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reload {
    /// Whether a changed file is taken up by itself; SIGHUP always does it.
    pub watch: bool,
}

/// A name server: `ip:port` or `[v6]:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Server(pub SocketAddr);

impl std::str::FromStr for Server {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| {
            let ip = text.trim_matches(['[', ']']).parse::<std::net::IpAddr>().ok()?;
            Some(format!("did you mean `{}`?", SocketAddr::new(ip, 53)))
        };
        text.parse().map(Self).map_err(|_| {
            let hint = port(text).unwrap_or_else(|| "write `ip:port`, such as `1.1.1.1:53`".into());
            format!("`{}` is not a name server: {hint}", text.escape_debug())
        })
    }
}

impl JsonSchema for Server {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Server".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]+$",
            "description": "A name server: `ip:port` or `[v6]:port`."
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node: None,
            listeners: vec![Listener::at(Address::Tcp(([127, 0, 0, 1], 8080).into()))],
            admin: Admin::default(),
            filters: Settings::default(),
            diagnosis: Diagnosis::default(),
            error_pages: Vec::new(),
            compression: None,
            log: Log::default(),
            resolver: Resolver::default(),
            threads: None,
            user: None,
            group: None,
            shutdown: Shutdown::default(),
            takeover: Takeover::default(),
            reload: Reload::default(),
            routes: Vec::new(),
            upstreams: BTreeMap::new(),
        }
    }
}

impl Diagnosis {
    /// What attribution has to know of this section, the statuses apart.
    #[must_use]
    pub fn settings(&self) -> DiagnosisSettings {
        let (on, disclosure, debug_token) = (self.on, self.disclosure, self.debug_token.clone());
        DiagnosisSettings { on, disclosure, debug_token }
    }
}

impl Default for Diagnosis {
    fn default() -> Self {
        Self {
            on: On::default(),
            disclosure: Disclose::default(),
            statuses: Statuses::default(),
            debug_token: None,
            checks: true,
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: Some(Address::Tcp(([127, 0, 0, 1], 9901).into())), token: None }
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout: Span::seconds(2), attempts: 2 }
    }
}

impl Default for Reload {
    fn default() -> Self {
        Self { watch: true }
    }
}

impl Config {
    /// The configuration in force as JSON, every default filled in and every secret masked: fit to
    /// be shown to an operator.
    #[must_use]
    pub fn shown(&self) -> Value {
        let mut shown = serde_json::to_value(self).expect("every key is a string");
        shown["routes"].as_array_mut().into_iter().flatten().for_each(route::shown::mask);
        shown
    }

    /// Reads the sections of the filters and the others, which are two structs.
    pub(crate) fn read(
        value: Value,
    ) -> Result<Self, serde_path_to_error::Error<serde_json::Error>> {
        let Value::Object(all) = value else { return serde_path_to_error::deserialize(value) };
        let (filters, rest): (Map<_, _>, Map<_, _>) =
            all.into_iter().partition(|(key, _)| Settings::SECTIONS.contains(&key.as_str()));
        let filters = serde_path_to_error::deserialize(Value::Object(filters))?;
        let config: Self = serde_path_to_error::deserialize(Value::Object(rest))?;
        Ok(Self { filters, ..config })
    }
}

/// The configuration's JSON Schema (draft 2020-12).
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaGenerator::default();
    let filters = Settings::json_schema(&mut generator).to_value();
    let mut schema = generator.into_root_schema_for::<Config>().to_value();
    if let (Some(all), Some(filters)) =
        (schema["properties"].as_object_mut(), filters["properties"].as_object())
    {
        all.extend(filters.clone());
    }
    overrides(&mut schema["$defs"]);
    schema
}

/// A key that overrides another takes the same values. That it may be absent is an `Option` in the
/// struct, which its schema takes for a value that may be null.
fn overrides(definitions: &mut Value) {
    let names = definitions.as_object().into_iter().flat_map(Map::keys).cloned();
    for part in names.collect::<Vec<_>>() {
        let Some(whole) = part.strip_suffix("Override") else { continue };
        let whole = definitions[whole]["properties"].clone();
        for (key, rule) in definitions[&part]["properties"].as_object_mut().into_iter().flatten() {
            rule.clone_from(&whole[key]);
            rule.as_object_mut().map(|rule| rule.remove("default"));
        }
    }
}
