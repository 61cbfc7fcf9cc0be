//! A configuration made ready to run: routes that lead to pools, and settings for attribution.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;
use whodunit_conf::schema::log::Which as WhichToLog;
use whodunit_conf::schema::percent::Percent;
use whodunit_conf::schema::route::Match;
use whodunit_conf::schema::route::matching::{
    FieldForm, FieldTest as FieldAsked, PathTest as PathAsked, Verb,
};
use whodunit_conf::schema::upstream::{
    Protocol as ProtocolSection, Tls as TlsSection, Upstream as UpstreamSection,
};
use whodunit_conf::{Checked, Problems, Way};
use whodunit_filters::access::Access;
use whodunit_filters::attribution::page::own::Pages;
use whodunit_filters::compression::Compression;
use whodunit_filters::limits::LimitsInForce;
use whodunit_filters::rate::{Meter, Rates};
use whodunit_filters::rules::Rules;
use whodunit_filters::timeouts::TimeoutsInForce;
use whodunit_pingora::connect::Protocol;
use whodunit_pingora::{Settings, Which};

use crate::pages;
use crate::routes::lane::Lane;
use crate::routes::{FieldTest, PathTest, Routes, Takes, Wants};
use crate::treatment::Treatment;
use crate::upstream::lasting::Registry;
use crate::upstream::own::Listeners;
use crate::upstream::places::{Queue, Room};
use crate::upstream::pool::{Pool, Upstream};
use crate::upstream::resolve::{Resolver, ResolverSettings};
use crate::upstream::tls::{Tls, TlsSettings};

/// What the gateway follows.
#[derive(Default)]
pub struct Plan {
    /// From host and path to where the request goes.
    pub routes: Routes<Arc<Destination>>,
    /// The upstreams, by name.
    pub upstreams: BTreeMap<String, Arc<Pool>>,
    /// Whether endpoints that fail are looked at.
    pub checks: bool,
    /// The deployment's own pages.
    pub pages: Arc<Pages>,
    /// What is probably not meant about the files that were read.
    pub doubts: Option<Problems>,
}

/// Where a route leads, with the settings in force on the way.
pub struct Destination {
    /// The route's name.
    pub route: Arc<str>,
    /// The upstream; of a route that answers by itself, one without a name and without endpoints.
    pub pool: Arc<Pool>,
    /// The limits in force.
    pub limits: Arc<LimitsInForce>,
    /// The timeouts in force.
    pub timeouts: Arc<TimeoutsInForce>,
    /// What else is done to its requests and answers, if anything.
    pub treatment: Option<Box<Treatment>>,
    /// Who may come in, and how often, where that is not as it is globally.
    pub rules: Option<Arc<Rules>>,
    /// How many may be under way, if there is a limit.
    pub lane: Option<Lane>,
    /// How answers are compressed, if they are.
    pub compression: Option<Compression>,
}

impl Plan {
    /// The plan of a configuration. `own` are the addresses that this process listens on; `lasting`
    /// keeps what is known of the upstreams from one plan to the next.
    ///
    /// # Errors
    /// Every file that the configuration names and that cannot be used, and the system's resolver
    /// settings if they cannot be read.
    pub fn of(checked: &Checked, own: Listeners, lasting: &Registry) -> Result<Self, Problems> {
        let section = &checked.config.resolver;
        let (pages, doubts) = pages::load(checked)?;
        let resolver = Resolver::new(&ResolverSettings {
            servers: section.servers.iter().map(|server| server.0).collect(),
            timeout: section.timeout.0,
            attempts: usize::try_from(section.attempts).unwrap_or(usize::MAX),
            ..ResolverSettings::default()
        })
        .map_err(|error| {
            let says = format!("the resolver cannot be set up: {error}");
            checked.refuse(vec![(vec!["resolver"], says)])
        })?;
        let own = Arc::new(own);
        let mut upstreams = BTreeMap::new();
        let mut wrong = Vec::new();
        for (name, section) in &checked.config.upstreams {
            match upstream(name, section) {
                Ok(upstream) => {
                    let pool = Pool::new(upstream, resolver.clone(), own.clone(), lasting.of(name));
                    upstreams.insert(name.clone(), Arc::new(pool));
                }
                Err((key, says)) => wrong.push((vec!["upstreams", name, "tls", key], says)),
            }
        }
        if !wrong.is_empty() {
            return Err(checked.refuse(wrong));
        }
        let nobody = Upstream::new("", None, Protocol::Auto);
        let nowhere = Arc::new(Pool::new(nobody, resolver, own, lasting.of("")));
        let routes = checked.resolved.routes.iter().map(|way| {
            let pool = way.upstream.as_ref().map_or(&nowhere, |upstream| &upstreams[upstream]);
            let destination = Destination {
                route: way.name.as_str().into(),
                pool: pool.clone(),
                limits: Arc::new(way.limits.clone()),
                timeouts: Arc::new(way.timeouts.clone()),
                treatment: Treatment::of(way),
                rules: rules(way, lasting, &checked.config.filters.access).map(Arc::new),
                compression: way.compression.clone(),
                lane: way
                    .concurrency
                    .clone()
                    .map(|(most, at)| lasting.lanes.of(&way.name, most, at)),
            };
            (takes(&way.matches), Arc::new(destination))
        });
        Ok(Self {
            routes: Routes::new(routes),
            upstreams,
            checks: checked.config.diagnosis.checks,
            pages: Arc::new(pages),
            doubts: Some(doubts),
        })
    }
}

/// What leads to a route.
fn takes(matches: &Match) -> Takes {
    let path = match matches.path_test() {
        PathAsked::Exact(path) => PathTest::Exact(path.to_owned()),
        PathAsked::Prefix(prefix) => PathTest::Prefix(prefix.to_owned()),
        PathAsked::Regex(pattern) => PathTest::Regex(pattern.regex()),
        PathAsked::Any => PathTest::Any,
    };
    let fields = matches.headers.iter().map(|(name, test)| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect(CHECKED);
        let test = match test {
            FieldAsked::Exact(value) => FieldTest::Is(value.clone()),
            FieldAsked::Form(FieldForm { regex: Some(regex), .. }) => {
                FieldTest::Fits(regex::bytes::Regex::new(regex.as_str()).expect(CHECKED))
            }
            FieldAsked::Form(form) => FieldTest::Present(form.present.unwrap_or(true)),
        };
        (name, test)
    });
    let methods = matches.methods.iter().map(Verb::method);
    let wants = Wants { methods: methods.collect(), fields: fields.collect() };
    Takes { host: matches.host.as_ref().map(|host| host.as_str().to_owned()), path, wants }
}

const CHECKED: &str = "checked with the configuration";

/// The rules of a route, where it has any of its own, with the counts that go on from an earlier plan.
fn rules(way: &Way, lasting: &Registry, all: &Access) -> Option<Rules> {
    if way.rates.is_empty() && way.access == all.in_force() {
        return None;
    }
    let (rates, at): (Vec<_>, Vec<_>) = way.rates.iter().cloned().unzip();
    let tables = lasting.rates.of(&way.name, &rates);
    let meters = rates.into_iter().zip(at).zip(tables);
    let meters = meters.map(|((rate, place), table)| Meter { rate, place: place.into(), table });
    Some(Rules { access: way.access.clone(), rates: Rates(meters.collect()) })
}

/// An upstream; if a file of its `tls` cannot be used, the key there and why.
fn upstream(name: &str, section: &UpstreamSection) -> Result<Upstream, (&'static str, String)> {
    let endpoints = section
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.address.clone(), u32::from(endpoint.weight)));
    let tls = section.tls.as_ref().map(secured).transpose()?;
    let protocol = match section.protocol {
        ProtocolSection::Auto => Protocol::Auto,
        ProtocolSection::Http1 => Protocol::Http1,
        ProtocolSection::H2 => Protocol::H2,
        ProtocolSection::H2c => Protocol::H2c,
    };
    Ok(Upstream {
        endpoints: endpoints.collect(),
        hop: section.hop,
        health: section.health.clone().map(Arc::new),
        eject: section.eject,
        attempts: usize::try_from(section.retries.attempts).unwrap_or(usize::MAX).max(1),
        backoff: section.retries.backoff.map(|span| span.0),
        budget: section.retries.budget.map(Percent::percent),
        on: section.retries.on.clone(),
        room: Room {
            connections: section.max_connections,
            requests: section.max_requests,
            queue: section.queue.map(|q| Queue { length: q.length, timeout: q.timeout.0 }),
        },
        balance: section.balance,
        by: section.hash.by.clone(),
        slow_start: section.slow_start.map(|span| span.0),
        ..Upstream::new(name, tls, protocol).telling(section.proxy_protocol)
    })
}

fn secured(section: &TlsSection) -> Result<Tls, (&'static str, String)> {
    Tls::load(&TlsSettings {
        sni: section.sni.as_ref().map(|sni| sni.as_str().to_owned()),
        ca: section.ca.clone(),
        crl: section.crl.clone(),
        verify: section.verify,
        client_cert: section.client_cert.clone(),
        client_key: section.client_key.clone(),
    })
}

/// The settings for attribution.
#[must_use]
pub fn settings(checked: &Checked, node: &str, listeners: whodunit_pingora::Listeners) -> Settings {
    let config = &checked.config;
    let mut settings = Settings::with_filters(node, &config.filters);
    settings.listeners = listeners;
    let clients =
        config.listeners.iter().filter_map(|listener| listener.tls.as_ref()?.client_auth.as_ref());
    settings.vouched = clients
        .filter_map(|clients| clients.forward.as_ref())
        .map(|field| field.name().clone())
        .collect();
    settings.diagnosis = config.diagnosis.settings();
    settings.statuses = config.diagnosis.statuses.clone();
    settings.redact = config.log.redact.clone();
    settings.which = match config.log.which {
        WhichToLog::Errors => Which::Errors,
        WhichToLog::All => Which::All,
        WhichToLog::Sample => Which::Sample(config.log.sample_rate),
    };
    for way in &checked.resolved.routes {
        settings.widen_head(&way.limits);
    }
    settings
}
