//! HTTP/2 behind the ingress: what a panic costs, and what a service writes by itself.

use bytes::Bytes;
use h2::client::SendRequest;

use crate::hooked::Hooked;
use crate::own::Theirs;
use crate::rig::{Does, GOOD, LONG, Proxy, origin};

/// One exchange: the status, our member, the body as far as it came. No status where there was no
/// answer.
async fn get(client: &SendRequest<Bytes>, path: &str) -> (u16, String, Result<Bytes, h2::Error>) {
    let mut client = client.clone().ready().await.expect("the connection goes on");
    let request = http::Request::get(format!("http://app.example{path}")).body(());
    let (answer, _) = client.send_request(request.expect("a request"), true).expect("a stream");
    let talk = async {
        let answer = match answer.await {
            Ok(answer) => answer,
            Err(error) => return (0, String::new(), Err(error)),
        };
        let told = answer.headers().get("proxy-status");
        let told = told.map_or("", |field| field.to_str().expect("ASCII")).to_owned();
        let (status, mut body) = (answer.status().as_u16(), answer.into_body());
        let mut all = Vec::new();
        while let Some(piece) = body.data().await {
            match piece {
                Ok(piece) => all.extend_from_slice(&piece),
                Err(error) => return (status, told, Err(error)),
            }
        }
        (status, told, Ok(all.into()))
    };
    tokio::time::timeout(LONG, talk).await.expect("an end")
}

#[tokio::test]
async fn a_panic_costs_only_its_own_stream() {
    let origin = origin(Does::Says(GOOD)).await;
    for hook in [
        "early_request_filter",
        "request_filter",
        "upstream_peer",
        "request_body_filter",
        "upstream_response_filter",
        "response_filter",
        "response_body_filter",
        "module",
    ] {
        let proxy = Proxy::start(Hooked::new(origin, |hook, session, _| {
            let asked = session.req_header().uri.path().trim_start_matches('/');
            assert!(asked != hook, "in {hook}");
        }));
        let client = proxy.h2_client().await;
        let (status, told, body) = get(&client, &format!("/{hook}")).await;
        let record = proxy.record().await;
        assert_eq!(record.cause, Some("proxy_bug"), "{hook}");
        assert!(record.line().contains("\"protocol\":\"HTTP/2\""), "{hook}");
        if status == 200 {
            // The header was on its way when the body came.
            assert!(hook == "response_body_filter" && body.is_err(), "{hook}: {body:?}");
        } else {
            assert_eq!((status, body.is_ok()), (500, true), "{hook}");
            assert!(told.contains(&format!("ref=\"{}\"", record.id)), "{hook}: {told}");
        }
        assert_eq!(proxy.counted(), [("proxy_bug", 1)], "{hook}");
        let (status, told, body) = get(&client, "/").await;
        assert_eq!((status, told.as_str()), (200, ""), "after {hook}");
        assert_eq!(body.expect("it is whole"), "hello");
    }
}

#[tokio::test]
async fn a_5xx_of_the_services_own_is_told_of() {
    for path in ["/through", "/below"] {
        let proxy = Proxy::start(Theirs);
        let (status, told, _) = get(&proxy.h2_client().await, path).await;
        let record = proxy.record().await;
        assert_eq!((status, record.cause), (503, Some("denied_by_policy")), "{path}");
        assert!(told.contains(&format!("ref=\"{}\"", record.id)), "{path}: {told}");
    }
}
