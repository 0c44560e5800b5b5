//! The signals that stop a node, and what takes long.

use std::future::Future;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Counts the requests to stop. Listening begins when it is made, so that a signal during the start is not lost.
pub(crate) struct Signals {
    count: watch::Receiver<u32>,
    seen: u32,
}

impl Signals {
    /// Begins to listen for SIGTERM, SIGINT, and the SIGHUP that a closing terminal sends.
    pub(crate) fn listen() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hangup = signal(SignalKind::hangup())?;
        let (sender, count) = watch::channel(0);
        tokio::spawn(count_signals([terminate, interrupt, hangup], sender));
        Ok(Self { count, seen: 0 })
    }

    /// Ends with the first signal, without taking it from [`Signals::stop`].
    pub(crate) fn first(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut count = self.count.clone();
        async move { wait_above(&mut count, 0).await }
    }

    /// Ends with the next signal that no earlier call has ended with.
    pub(crate) async fn stop(&mut self) {
        wait_above(&mut self.count, self.seen).await;
        self.seen += 1;
    }
}

async fn wait_above(count: &mut watch::Receiver<u32>, seen: u32) {
    if count.wait_for(|count| *count > seen).await.is_err() {
        // The counting task lives as long as the runtime; without it no signal can come any more.
        std::future::pending::<()>().await;
    }
}

async fn count_signals(signals: [Signal; 3], count: watch::Sender<u32>) {
    let [mut terminate, mut interrupt, mut hangup] = signals;
    loop {
        tokio::select! {
            Some(()) = terminate.recv() => {}
            Some(()) = interrupt.recv() => {}
            Some(()) = hangup.recv() => {}
            else => return,
        }
        count.send_modify(|count| *count += 1);
    }
}
