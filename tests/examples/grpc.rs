//! `grpc.yaml` in front of gRPC's own server, with its health and reflection services, called by its
//! own client.

use std::sync::Arc;

use super::local::Local;
use crate::rig::certificates::Authority;
use crate::rig::skip;
use crate::strangers::grpc::{Channel, passes, server, told};

#[test]
fn calls_pass_by_either_listener_until_nobody_is_there() {
    if let Err(why) = called() {
        skip("examples::grpc::calls_pass_by_either_listener_until_nobody_is_there", &why);
    }
}

fn called() -> Result<(), String> {
    let authority = Arc::new(Authority::new("root"));
    let mut local = Local::before("grpc", Arc::clone(&authority), |_| {
        let (server, endpoint) = server(&[])?;
        Ok((endpoint, Box::new(server)))
    })?;
    let at = |nth: usize| local.proxy.addresses[nth];
    let secured = Channel { address: at(0), secured: Some((authority.file(), "grpc.example.net")) };
    let plain = Channel { address: at(1), secured: None };
    for channel in [&secured, &plain] {
        passes(&local.proxy, channel)?;
    }
    let route = |record: &serde_json::Value| record["route"].as_str().map(str::to_owned);
    let taken: Vec<_> = local.proxy.log.records().iter().filter_map(route).take(4).collect();
    assert_eq!(taken, ["health", "health", "grpc", "grpc"]);

    local.endpoints.clear();
    for channel in [&secured, &plain] {
        let failed = told(channel, "check")?;
        assert!(failed.starts_with("failed UNAVAILABLE "), "{failed}");
        // By the next check of its own it knows that nobody is there.
        let known = ["(connect_refused, ref ", "(no_healthy_upstream, ref "];
        assert!(known.iter().any(|known| failed.contains(known)), "{failed}");
    }
    Ok(())
}
