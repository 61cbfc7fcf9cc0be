//! What an operator is shown of the choice among endpoints.

use serde_json::{Value, json};

use super::Pool;
use crate::upstream::balance::WHOLE;

impl Pool {
    /// The policy; what is under way and what waits; each endpoint with its weight, and each of its
    /// addresses with the part of that weight that it has now and what is under way there.
    #[must_use]
    pub fn shown(&self) -> Value {
        let upstream = &self.upstream;
        let places = self.places();
        let endpoints =
            upstream.endpoints.iter().zip(&self.seats).map(|((target, weight), seats)| {
                let members = seats.known();
                let among = f64::from(u32::try_from(members.len()).unwrap_or(u32::MAX));
                let addresses = members.iter().map(|member| {
                    let share = f64::from(member.share(upstream.slow_start)) / f64::from(WHOLE);
                    json!({
                        "address": member.next_hop.to_string(),
                        "weight_now": f64::from(*weight) * share / among,
                        "in_flight": member.in_flight(),
                    })
                });
                let addresses: Vec<_> = addresses.collect();
                json!({ "address": target.to_string(), "weight": weight, "addresses": addresses })
            });
        let endpoints: Vec<_> = endpoints.collect();
        json!({
            "name": &*upstream.name,
            "balance": self.spread.as_str(),
            "endpoints": endpoints,
            "requests": places.requests(),
            "max_requests": upstream.room.requests,
            "connections": places.connections(),
            "max_connections": upstream.room.connections,
            "queued": places.queued(),
        })
    }
}
