//! [`Tasks`]: how many tasks wait beside their calls, and when there are none.

use tokio::sync::watch;

/// Counts tasks. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Tasks(watch::Sender<usize>);

/// One task; it has ended when this is dropped.
pub(crate) struct Counted(watch::Sender<usize>);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(crate) fn begin(&self) -> Counted {
        self.0.send_modify(|count| *count += 1);
        Counted(self.0.clone())
    }

    pub(crate) fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until there are none.
    pub(crate) async fn none(&self) {
        // The sender is here, so that there is a value to wait for.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
