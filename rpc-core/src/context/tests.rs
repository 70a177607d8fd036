use std::time::Duration;

use super::*;

fn through(context: &CallContext) -> CallContext {
    let mut bytes = Vec::new();
    context.write(&mut bytes);
    CallContext::read(&bytes)
}

fn full() -> CallContext {
    let trace = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    let context = CallContext::CALLED
        .with_deadline(Duration::from_secs(5))
        .with_trace(trace.with_state("vendor=1"))
        .with_baggage("tenant", "blue")
        .unwrap();
    context.with_baggage("größe", "").unwrap()
}

#[test]
fn what_a_call_carries_arrives() {
    let context = full();
    let read = through(&context);
    assert_eq!(read.depth(), 2);
    assert!(read.remaining().unwrap() <= Duration::from_secs(5));
    assert!(read.remaining().unwrap() > Duration::from_secs(4));
    assert_eq!(read.trace(), context.trace());
    assert_eq!(read.trace().unwrap().state(), Some("vendor=1"));
    assert_eq!(read.trace().unwrap().to_string(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(read.baggage("tenant"), Some("blue"));
    assert_eq!(read.baggage_entries().collect::<Vec<_>>(), [("tenant", "blue"), ("größe", "")]);
    assert_eq!(read.baggage("other"), None);
}

#[test]
fn what_is_cut_short_or_unknown_is_left_out() {
    let mut bytes = Vec::new();
    full().write(&mut bytes);
    for length in 0..bytes.len() {
        // Whatever is left of it is read.
        let _ = CallContext::read(&bytes[..length]);
    }
    // An unknown entry before a known one, and one that says it is longer than what there is.
    let read = CallContext::read(&[3, 99, 2, 7, 7, 4, 4, 1, b'k', b'v', b'w', 1, 200]);
    assert_eq!((read.depth(), read.baggage("k")), (4, Some("vw")));
    assert!(read.deadline().is_none());
    // No text, a key longer than its entry, ids that are 0, a time of eleven bytes, one in a thousand years.
    for entry in [
        &[4, 3, 1, 0xff, 0xff][..],
        &[4, 2, 9, b'k'],
        &[2, 25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[2, 3, 1, 1, 1],
        &[3, 1, b'x'],
        &[1, 11, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        &[1, 7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    ] {
        let read = CallContext::read(&[&[0], entry].concat());
        assert_eq!((read.depth, read.inner.is_none()), (1, true), "{entry:?}: {read:?}");
    }
    assert_eq!(CallContext::read(&[]).depth(), 1);
    assert_eq!(CallContext::read(&[255]).depth(), usize::from(CALL_DEPTH));
}

#[test]
fn random_metadata_is_read() {
    let mut random = 1u64;
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..random % 40)
            .map(|_| {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) as u8
            })
            .collect();
        random = random.wrapping_add(1);
        let context = CallContext::read(&bytes);
        assert_eq!(through(&context).baggage_entries().count(), context.baggage_entries().count());
    }
}

#[test]
fn the_earlier_of_two_deadlines_counts() {
    let context = CallContext::default().with_deadline(Duration::from_secs(1));
    let at = context.deadline();
    assert_eq!(context.clone().with_deadline(Duration::from_secs(9)).deadline(), at);
    assert!(context.clone().with_deadline(Duration::from_millis(1)).deadline() < at);
    assert_eq!(context.with_deadline(Duration::MAX).deadline(), at);
    assert!(CallContext::default().with_deadline(Duration::MAX).deadline().is_none());
}

#[test]
fn baggage_is_bounded() {
    let mut context = CallContext::default();
    let value = "x".repeat(1000);
    let error = loop {
        let key = format!("key {}", context.baggage_entries().count());
        match context.clone().with_baggage(&key, &value) {
            Ok(more) => context = more,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.message().contains("8104 bytes; the limit is 7168"), "{error}");
    assert_eq!(context.baggage_entries().count(), 7);
    // With all that it can have, it is no longer than what a peer takes.
    let trace = TraceContext::new(1, 1, true).unwrap().with_state(&"s".repeat(512));
    let context = context.with_trace(trace).with_deadline(Duration::from_secs(9));
    let mut bytes = Vec::new();
    context.write(&mut bytes);
    assert!(bytes.len() <= METADATA_BYTES, "{}", bytes.len());
    // A key that is there is replaced.
    let context = CallContext::default().with_baggage("a", "1").unwrap().with_baggage("a", "2").unwrap();
    assert_eq!(context.baggage_entries().collect::<Vec<_>>(), [("a", "2")]);
}

#[test]
fn a_traceparent_is_read_as_the_recommendation_says() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let trace = TraceContext::parse(good).unwrap();
    assert_eq!((trace.span_id(), trace.is_sampled()), (0xb7ad_6b71_6920_3331, false));
    assert_eq!(trace.to_string(), good);
    // A later version, with something more.
    assert!(TraceContext::parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what").is_ok());
    for bad in [
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "ü0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        assert_eq!(TraceContext::parse(bad).unwrap_err().kind(), ErrorKind::BadArguments, "{bad}");
    }
}

#[test]
fn a_scope_is_current_while_it_is_polled() {
    assert_eq!(CallContext::current().depth(), 0);
    let outer = full();
    {
        let _outer = enter(&outer);
        assert_eq!(CallContext::current().baggage("tenant"), Some("blue"));
        {
            let _inner = enter(&CallContext::CALLED);
            assert_eq!(CallContext::current().baggage("tenant"), None);
            assert!(!is_within());
        }
        assert!(is_within());
        assert_eq!(CallContext::current().baggage("tenant"), Some("blue"));
        assert_eq!(outgoing("m").unwrap().depth(), 1);
        within(&CallContext::CALLED, || assert!(!is_within()));
    }
    assert!(CallContext::current().baggage("tenant").is_none());
    assert!(outgoing("m").unwrap().is_bare());
    let deep = CallContext { depth: CALL_DEPTH, inner: None };
    let error = deep.check_depth().unwrap_err();
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Limit, false));
    assert!(
        error.message().contains("the end of 64 over as many connections; the limit `call_depth` is 64"),
        "{error}"
    );
}

#[test]
fn an_alarm_rings_once_for_all_who_wait() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};
    #[derive(Default)]
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let alarm = Arc::new(Alarm::after(Duration::from_millis(20)).unwrap());
    let wokens: Vec<_> = (0..3).map(|_| Arc::new(Woken::default())).collect();
    let mut tickets: Vec<Ticket> = (0..3).map(|_| Ticket::new(Arc::clone(&alarm))).collect();
    for (ticket, woken) in tickets.iter_mut().zip(&wokens) {
        let waker = Waker::from(Arc::clone(woken));
        assert!(!ticket.poll(&Context::from_waker(&waker)));
        assert!(!ticket.poll(&Context::from_waker(&waker)));
    }
    // One gives up; its place is another's.
    drop(tickets.remove(1));
    let deadline = Instant::now() + Duration::from_secs(10);
    while wokens[0].0.load(Ordering::SeqCst) == 0 || wokens[2].0.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < deadline, "it did not ring");
        std::thread::yield_now();
    }
    assert_eq!(wokens[1].0.load(Ordering::SeqCst), 0);
    assert!(tickets[0].poll(&Context::from_waker(Waker::noop())));
    let error = tickets[0].exceeded("m");
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::DeadlineExceeded, true));
    assert!(error.message().contains("`m` did not end within its deadline of 20ms"), "{error}");
}
