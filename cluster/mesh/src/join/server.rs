//! Serving a request to join.

use super::{ADMITTED, Doorkeeper, REFUSED};
use crate::inner::Inner;
use crate::limits::{JOIN_ANSWER_BYTES, JOIN_LIMIT, JOIN_LINGER, JOIN_REQUEST_BYTES, JOIN_REQUEST_LIMIT};
use crate::link::canonical;
use crate::refusal::{CLOSE_BYE, Refusal};
use bytes::Bytes;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use std::sync::Arc;
use std::time::Instant;

/// Serves one request on a connection without a certificate, then closes it. Its place is free as soon as it is answered,
/// however long the other end takes to go.
pub(crate) async fn serve(inner: &Arc<Inner>, keeper: &Doorkeeper, connection: Connection) {
    let address = canonical(connection.remote_address());
    let known = || inner.known.lock().has_address(address.ip());
    let place = keeper.admit(address.ip(), known, Instant::now());
    let handler = inner.join.read().clone();
    let (Some(place), Some(handler)) = (place, handler) else {
        inner.metrics.other.joins_refused.add(1);
        return inner.refuse(&connection, None, Refusal::Busy, "joining is not possible now: try again in a while");
    };
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(1));
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(0));
    let Ok(Some((send, request))) = tokio::time::timeout(JOIN_REQUEST_LIMIT, request(&connection)).await else {
        inner.metrics.other.joins_refused.add(1);
        return inner.refuse(&connection, None, Refusal::Protocol, "it sent no request to join");
    };
    inner.metrics.other.joins_served.add(1);
    let answering = tokio::time::timeout(JOIN_LIMIT, async {
        let answer = handler.join(address, request).await;
        answer_with(send, answer).await;
    });
    tokio::select! {
        _answered = answering => {}
        // Nobody is there who would read the answer.
        _gone = connection.closed() => {}
    }
    drop(place);
    // The answer has to arrive before the connection is closed; the other end closes it.
    let _closed = tokio::time::timeout(JOIN_LINGER, connection.closed()).await;
    connection.close(CLOSE_BYE, b"");
}

async fn request(connection: &Connection) -> Option<(SendStream, Bytes)> {
    let (send, mut receive): (SendStream, RecvStream) = connection.accept_bi().await.ok()?;
    let request = receive.read_to_end(JOIN_REQUEST_BYTES).await.ok()?;
    Some((send, Bytes::from(request)))
}

async fn answer_with(mut send: SendStream, answer: Result<Bytes, Arc<str>>) {
    let (status, body) = match answer {
        Ok(answer) if answer.len() <= JOIN_ANSWER_BYTES => (ADMITTED, answer),
        Ok(_) => (REFUSED, Bytes::from_static(b"the answer is too long")),
        Err(reason) => (REFUSED, Bytes::copy_from_slice(reason.as_bytes())),
    };
    let mut pieces = [Bytes::copy_from_slice(&[status]), body];
    if send.write_all_chunks(&mut pieces).await.is_ok() {
        let _closed = send.finish();
    }
}
