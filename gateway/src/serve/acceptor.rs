//! Lets connections in through a port's doors, and closes them when they have to go.

use super::doors::{Doors, Guest, Place};
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Response, StatusCode};
use axum_server::accept::Accept;
use futures::future::BoxFuture;
use http_body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::Service;

/// Writes of fewer bytes are the protocol's own, such as the pings of HTTP/2, and no sign of life.
const SIGN_OF_LIFE: usize = 64;

/// Accepts as `inner` does while the doors let in.
#[derive(Clone)]
pub(super) struct Bounded<A> {
    inner: A,
    doors: Arc<Doors>,
}

impl<A> Bounded<A> {
    pub(super) fn new(inner: A, doors: Arc<Doors>) -> Self {
        doors.keep();
        Self { inner, doors }
    }
}

impl<A, S> Accept<TcpStream, S> for Bounded<A>
where
    A: Accept<TcpStream, S> + Clone + Send + Sync + 'static,
    A::Future: Send,
    A::Stream: Send,
    A::Service: Send,
    S: Send + 'static,
{
    type Stream = Held<A::Stream>;
    type Service = Counted<A::Service>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = stream.peer_addr().map(|peer| self.doors.enter(peer.ip()));
        let place = match place {
            Ok(Some(place)) => place,
            Ok(None) => {
                return Box::pin(async { Err(io::Error::new(io::ErrorKind::QuotaExceeded, "too many connections")) });
            }
            Err(error) => return Box::pin(async { Err(error) }),
        };
        let accepted = stream.set_nodelay(true).map(|()| self.inner.accept(stream, service));
        Box::pin(async move {
            let guest = place.guest().clone();
            let (stream, service) = tokio::select! {
                accepted = accepted? => accepted?,
                () = guest.cut().cancelled() => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the connection made room for another"));
                }
            };
            Ok((Held::new(stream, place), Counted { inner: service, guest }))
        })
    }
}

/// A connection with its place, also after an upgrade to a WebSocket.
pub(super) struct Held<S> {
    stream: S,
    place: Place,
    // One for each direction: they may be awaited by different tasks.
    cut_read: Pin<Box<WaitForCancellationFutureOwned>>,
    cut_write: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> Held<S> {
    fn new(stream: S, place: Place) -> Self {
        let cut = || Box::pin(place.guest().cut().clone().cancelled_owned());
        Self { stream, cut_read: cut(), cut_write: cut(), place }
    }

    /// Takes note of what was written.
    fn written(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(result, Poll::Ready(Ok(bytes)) if bytes >= SIGN_OF_LIFE) {
            self.place.guest().stirs();
        }
        result
    }

    fn is_cut(&mut self, cx: &mut task::Context<'_>) -> bool {
        self.cut_write.as_mut().poll(cx).is_ready()
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was quiet for too long")
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.cut_read.as_mut().poll(cx).is_ready() {
            // As if the client had closed it: nothing is in progress that could be broken off.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(gone()));
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(gone()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(gone()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(gone()));
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(result)
    }
}

/// The service of one connection; takes note of what is in progress.
#[derive(Clone)]
pub(super) struct Counted<S> {
    inner: S,
    guest: Arc<Guest>,
}

/// A request in progress.
struct Handling(Arc<Guest>);

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.ends();
    }
}

impl<S, R> Service<R> for Counted<S>
where
    S: Service<R, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Answer>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.guest.begins();
        let handling = Handling(self.guest.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                handling.0.is_upgraded();
            }
            let guest = handling.0.clone();
            Ok(response.map(|body| Answer { body, guest }))
        })
    }
}

/// The body of an answer; each piece of it is a sign of life.
pub(super) struct Answer {
    body: Body,
    guest: Arc<Guest>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.guest.stirs();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
