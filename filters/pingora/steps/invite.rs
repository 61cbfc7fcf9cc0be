//! Inviting a client's body in the origin's place (RFC 9110 section 10.1.1), where the origin's own
//! invitation would get lost: the library takes no interim answers from an origin of HTTP/2.

use http::Version;
use http::header::EXPECT;
use pingora::Result;
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use crate::context::Case;
use crate::{passing, reply};

/// Invites it. That it is not wanted the origin can still say while it comes.
pub(crate) async fn invite(
    session: &mut Session,
    request: &mut RequestHeader,
    case: &mut Case,
) -> Result<()> {
    if !case.is_shared() {
        return Ok(());
    }
    request.remove_header(&EXPECT);
    let waits = std::mem::take(&mut case.invitation);
    if waits && session.req_header().version != Version::HTTP_10 {
        passing::interim(session, case);
        reply::invite(session).await?;
    }
    Ok(())
}
